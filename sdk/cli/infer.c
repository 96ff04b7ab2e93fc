/* Infer: column types from text, and text into typed values. */
#include "sdk/cli/infer.h"

#include <string.h>

#include "sdk/cli/literal.h"

enum {
    CAN_INT = 1,
    CAN_DOUBLE = 2,
    CAN_BOOL = 4,
    CAN_DATE = 8,
    CAN_TIMESTAMP = 16,
    CAN_ALL = 31,
};

void nq_inference_init(nq_inference *inference) {
    *inference = (nq_inference){.possible = CAN_ALL};
}

static bool observe_timestamp(nq_inference *inference, const nq_csv_field *field) {
    int64_t us;
    nq_literal_zone zone;
    if (!nq_literal_read_timestamp(field->text, field->bytes, &us, &zone) ||
        zone == NQ_ZONE_OFFSET) {
        return false;
    }
    bool has_zone = zone == NQ_ZONE_UTC;
    bool agrees = !inference->has_values || inference->has_zone == has_zone;
    inference->has_zone = has_zone;
    return agrees;
}

void nq_inference_observe(nq_inference *inference, const nq_csv_field *field) {
    if (field->bytes == 0 && !field->is_quoted) {
        inference->has_nulls = true;
        return;
    }
    int64_t integer;
    double number;
    bool boolean;
    bool is_exact;
    unsigned possible = inference->possible;
    if ((possible & CAN_INT) != 0 &&
        !(nq_literal_read_int(field->text, field->bytes, &integer, &is_exact) && is_exact)) {
        possible &= ~(unsigned)CAN_INT;
    }
    if ((possible & CAN_DOUBLE) != 0 &&
        !(nq_literal_read_double(field->text, field->bytes, &number, &is_exact) && is_exact)) {
        possible &= ~(unsigned)CAN_DOUBLE;
    }
    if ((possible & CAN_BOOL) != 0 &&
        !(nq_literal_read_bool(field->text, field->bytes, &boolean, &is_exact) && is_exact)) {
        possible &= ~(unsigned)CAN_BOOL;
    }
    if ((possible & CAN_DATE) != 0 && !nq_literal_read_date(field->text, field->bytes, &integer)) {
        possible &= ~(unsigned)CAN_DATE;
    }
    if ((possible & CAN_TIMESTAMP) != 0 && !observe_timestamp(inference, field)) {
        possible &= ~(unsigned)CAN_TIMESTAMP;
    }
    inference->possible = possible;
    inference->has_values = true;
}

nq_data_type nq_inference_type(const nq_inference *inference) {
    static const struct {
        unsigned bit;
        nq_data_type type;
    } preference[] = {
        {CAN_INT, NQ_DATA_INT64}, {CAN_DOUBLE, NQ_DATA_FLOAT64},      {CAN_BOOL, NQ_DATA_BOOL},
        {CAN_DATE, NQ_DATA_DATE}, {CAN_TIMESTAMP, NQ_DATA_TIMESTAMP},
    };
    for (size_t i = 0; inference->has_values && i < sizeof preference / sizeof preference[0]; i++) {
        if ((inference->possible & preference[i].bit) != 0) {
            return preference[i].type;
        }
    }
    return NQ_DATA_TEXT;
}

static bool is_identifier(const nq_csv_field *field) {
    for (size_t i = 0; i < field->bytes; i++) {
        char c = field->text[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool is_inner = i > 0 && ((c >= '0' && c <= '9') || c == ' ' || c == '-' || c == '.');
        if (!is_letter && !is_inner) {
            return false;
        }
    }
    return field->bytes > 0;
}

bool nq_record_is_header(const nq_csv_field *first, const nq_inference *rest, size_t count) {
    bool all_identifiers = true;
    bool others_are_typed = false;
    for (size_t i = 0; i < count; i++) {
        nq_inference inference;
        nq_inference_init(&inference);
        nq_inference_observe(&inference, &first[i]);
        if (first[i].bytes == 0 || nq_inference_type(&inference) != NQ_DATA_TEXT) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (first[i].bytes == first[j].bytes &&
                memcmp(first[i].text, first[j].text, first[i].bytes) == 0) {
                return false;
            }
        }
        all_identifiers = all_identifiers && is_identifier(&first[i]);
        others_are_typed = others_are_typed || nq_inference_type(&rest[i]) != NQ_DATA_TEXT;
    }
    return others_are_typed || all_identifiers;
}

void nq_column_name_from_field(nq_text *name, const nq_csv_field *field) {
    if (field->bytes == 0 || (field->text[0] >= '0' && field->text[0] <= '9')) {
        nq_text_append_char(name, '_');
    }
    for (size_t i = 0; i < field->bytes; i++) {
        char c = field->text[i];
        if (c >= 'A' && c <= 'Z') {
            c = (char)(c - 'A' + 'a');
        }
        bool is_kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
        nq_text_append_char(name, is_kept ? c : '_');
    }
}

static bool fits(int64_t value, nq_data_type type) {
    return type == NQ_DATA_INT64 || (type == NQ_DATA_INT32 && value == (int32_t)value) ||
           (type == NQ_DATA_INT16 && value == (int16_t)value);
}

bool nq_datum_from_field(const nq_csv_field *field, nq_data_type type, const char *null_text,
                         nq_datum *out_datum) {
    nq_datum datum = {.type = type};
    bool is_exact;
    bool good;
    nq_literal_zone zone;
    if (!field->is_quoted &&
        (null_text == NULL ? field->bytes == 0
                           : field->bytes == strlen(null_text) &&
                                 memcmp(field->text, null_text, field->bytes) == 0)) {
        datum.is_null = true;
        *out_datum = datum;
        return true;
    }
    switch (type) {
    case NQ_DATA_BOOL:
        good = nq_literal_read_bool(field->text, field->bytes, &datum.boolean, &is_exact);
        break;
    case NQ_DATA_INT16:
    case NQ_DATA_INT32:
    case NQ_DATA_INT64:
        good = nq_literal_read_int(field->text, field->bytes, &datum.integer, &is_exact) &&
               fits(datum.integer, type);
        break;
    case NQ_DATA_FLOAT32:
    case NQ_DATA_FLOAT64:
        good = nq_literal_read_double(field->text, field->bytes, &datum.number, &is_exact);
        break;
    case NQ_DATA_DATE:
        good = nq_literal_read_date(field->text, field->bytes, &datum.integer);
        break;
    case NQ_DATA_TIMESTAMP:
        good = nq_literal_read_timestamp(field->text, field->bytes, &datum.integer, &zone);
        break;
    default:
        datum.text = field->text;
        datum.text_bytes = field->bytes;
        good = true;
        break;
    }
    *out_datum = datum;
    return good;
}
