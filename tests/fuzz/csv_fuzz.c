/* CSV: any bytes as a file. What the reader accepts must survive being written and read again, and
 * every field must be ready for type inference and conversion. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/cli/csv.h"
#include "sdk/cli/infer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_back(const nq_text *line, const nq_csv_reader *first) {
    FILE *file = fmemopen(line->data, line->bytes, "r");
    nq_csv_reader second;
    nq_csv_reader_init(&second, file, ',');
    if (nq_csv_reader_next(&second) != NQ_CSV_RECORD || second.field_count != first->field_count) {
        abort();
    }
    for (size_t i = 0; i < first->field_count; i++) {
        if (second.fields[i].bytes != first->fields[i].bytes ||
            memcmp(second.fields[i].text, first->fields[i].text, first->fields[i].bytes) != 0) {
            abort();
        }
    }
    nq_csv_reader_deinit(&second);
    (void)fclose(file);
}

static void use_record(const nq_csv_reader *reader) {
    static const nq_data_type types[] = {NQ_DATA_BOOL,    NQ_DATA_INT16, NQ_DATA_INT64,
                                         NQ_DATA_FLOAT64, NQ_DATA_DATE,  NQ_DATA_TIMESTAMP};
    nq_text line = {0};
    for (size_t i = 0; i < reader->field_count; i++) {
        const nq_csv_field *field = &reader->fields[i];
        nq_inference inference;
        nq_datum datum;
        nq_inference_init(&inference);
        nq_inference_observe(&inference, field);
        /* A type that was inferred must take the value it was inferred from. */
        if (!nq_datum_from_field(field, nq_inference_type(&inference), NULL, &datum)) {
            abort();
        }
        for (size_t j = 0; j < sizeof types / sizeof types[0]; j++) {
            (void)nq_datum_from_field(field, types[j], NULL, &datum);
        }
        nq_text_append_string(&line, i > 0 ? "," : "");
        nq_csv_write_field(&line, field->text, field->bytes, ',', true);
    }
    nq_text_append_char(&line, '\n');
    read_back(&line, reader);
    nq_text_deinit(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    FILE *file = fmemopen((void *)(uintptr_t)data, size, "r");
    nq_csv_reader reader;
    nq_csv_reader_init(&reader, file, ',');
    while (nq_csv_reader_next(&reader) == NQ_CSV_RECORD) {
        use_record(&reader);
    }
    nq_csv_reader_deinit(&reader);
    (void)fclose(file);
    return 0;
}
