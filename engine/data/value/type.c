/* Types: one table of what they are called, how they are held, and which names SQL knows them by.
 */
#include "engine/data/value/type.h"

#include <string.h>

typedef struct type_row {
    const char *name;
    nq_form form;
    bool is_integer;
    bool is_number;
} type_row;

static const type_row type_rows[NQ_TYPE_ID_COUNT] = {
    [NQ_TYPE_UNKNOWN] = {"unknown", NQ_FORM_BYTES, false, false},
    [NQ_TYPE_BOOL] = {"boolean", NQ_FORM_BOOL, false, false},
    [NQ_TYPE_INT16] = {"smallint", NQ_FORM_INT64, true, true},
    [NQ_TYPE_INT32] = {"integer", NQ_FORM_INT64, true, true},
    [NQ_TYPE_INT64] = {"bigint", NQ_FORM_INT64, true, true},
    [NQ_TYPE_FLOAT32] = {"real", NQ_FORM_FLOAT64, false, true},
    [NQ_TYPE_FLOAT64] = {"double precision", NQ_FORM_FLOAT64, false, true},
    [NQ_TYPE_DECIMAL] = {"numeric", NQ_FORM_BYTES, false, true},
    [NQ_TYPE_TEXT] = {"text", NQ_FORM_BYTES, false, false},
    [NQ_TYPE_BYTES] = {"bytea", NQ_FORM_BYTES, false, false},
    [NQ_TYPE_TIMESTAMP] = {"timestamp", NQ_FORM_INT64, false, false},
    [NQ_TYPE_DATE] = {"date", NQ_FORM_INT64, false, false},
    [NQ_TYPE_TIME] = {"time", NQ_FORM_INT64, false, false},
    [NQ_TYPE_INTERVAL] = {"interval", NQ_FORM_BYTES, false, false},
    [NQ_TYPE_UUID] = {"uuid", NQ_FORM_BYTES, false, false},
    [NQ_TYPE_JSON] = {"json", NQ_FORM_BYTES, false, false},
};

static const struct {
    const char *name;
    nq_type_id id;
} type_names[] = {
    {"bool", NQ_TYPE_BOOL},
    {"boolean", NQ_TYPE_BOOL},
    {"smallint", NQ_TYPE_INT16},
    {"int2", NQ_TYPE_INT16},
    {"int", NQ_TYPE_INT32},
    {"integer", NQ_TYPE_INT32},
    {"int4", NQ_TYPE_INT32},
    {"bigint", NQ_TYPE_INT64},
    {"int8", NQ_TYPE_INT64},
    {"real", NQ_TYPE_FLOAT32},
    {"float4", NQ_TYPE_FLOAT32},
    {"float", NQ_TYPE_FLOAT64},
    {"float8", NQ_TYPE_FLOAT64},
    {"double", NQ_TYPE_FLOAT64},
    {"double precision", NQ_TYPE_FLOAT64},
    {"decimal", NQ_TYPE_DECIMAL},
    {"numeric", NQ_TYPE_DECIMAL},
    {"text", NQ_TYPE_TEXT},
    {"varchar", NQ_TYPE_TEXT},
    {"character varying", NQ_TYPE_TEXT},
    {"char varying", NQ_TYPE_TEXT},
    {"char", NQ_TYPE_TEXT},
    {"character", NQ_TYPE_TEXT},
    {"bpchar", NQ_TYPE_TEXT},
    {"string", NQ_TYPE_TEXT},
    {"bytea", NQ_TYPE_BYTES},
    {"blob", NQ_TYPE_BYTES},
    {"timestamp", NQ_TYPE_TIMESTAMP},
    {"timestamp without time zone", NQ_TYPE_TIMESTAMP},
    {"datetime", NQ_TYPE_TIMESTAMP},
    {"date", NQ_TYPE_DATE},
    {"time", NQ_TYPE_TIME},
    {"time without time zone", NQ_TYPE_TIME},
    {"interval", NQ_TYPE_INTERVAL},
    {"uuid", NQ_TYPE_UUID},
    {"json", NQ_TYPE_JSON},
};

nq_form nq_type_form(nq_type_id id) {
    return type_rows[(unsigned)id < NQ_TYPE_ID_COUNT ? id : NQ_TYPE_UNKNOWN].form;
}

size_t nq_form_bytes(nq_form form) {
    switch (form) {
    case NQ_FORM_BOOL:
        return sizeof(uint8_t);
    case NQ_FORM_INT64:
        return sizeof(int64_t);
    case NQ_FORM_FLOAT64:
        return sizeof(double);
    case NQ_FORM_BYTES:
        break;
    }
    return sizeof(nq_bytes);
}

const char *nq_type_name(nq_type_id id) {
    const char *name = (unsigned)id < NQ_TYPE_ID_COUNT ? type_rows[id].name : NULL;
    return name != NULL ? name : "unknown";
}

nq_type_id nq_type_find(nq_bytes name) {
    for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++) {
        if (nq_bytes_equal(name, nq_bytes_of_cstr(type_names[i].name))) {
            return type_names[i].id;
        }
    }
    return NQ_TYPE_UNKNOWN;
}

bool nq_type_is_integer(nq_type_id id) {
    return (unsigned)id < NQ_TYPE_ID_COUNT && type_rows[id].is_integer;
}

bool nq_type_is_number(nq_type_id id) {
    return (unsigned)id < NQ_TYPE_ID_COUNT && type_rows[id].is_number;
}
