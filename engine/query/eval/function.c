/* The function table itself: function.def as an array. */
#include "engine/query/eval/aggregate_internal.h"
#include "engine/query/eval/kernel_internal.h"

/* The words function.def uses. */
enum {
    TOTAL = NQ_FUNCTION_STRICT,
    PARTIAL = NQ_FUNCTION_STRICT | NQ_FUNCTION_FAILS,
    HANDLES_NULLS = 0,
    FAILS = NQ_FUNCTION_FAILS,
    VOLATILE = NQ_FUNCTION_VOLATILE,
    STABLE = NQ_FUNCTION_STABLE,
    VARIADIC = NQ_FUNCTION_VARIADIC,
    NO_PARENS = NQ_FUNCTION_NO_PARENS,
};

const nq_function nq_functions[] = {
#define NQ_FUNCTION(kind_, name_, kernel_, flags_, result_, args_, summary_) \
    {.name = (name_),                                                        \
     .kind = NQ_FUNCTION_##kind_,                                            \
     .flags = (uint32_t)(flags_),                                            \
     .result = (result_),                                                    \
     .args = (args_),                                                        \
     .kernel = nq__kernel_##kernel_,                                         \
     .summary = (summary_)},
#define NQ_AGGREGATE(name_, ops_, flags_, result_, args_, summary_) \
    {.name = (name_),                                               \
     .kind = NQ_FUNCTION_AGGREGATE,                                 \
     .flags = (uint32_t)(flags_),                                   \
     .result = (result_),                                           \
     .args = (args_),                                               \
     .aggregate = &nq__aggregate_##ops_,                            \
     .summary = (summary_)},
#include "engine/query/eval/function.def"
#undef NQ_AGGREGATE
#undef NQ_FUNCTION
};

const uint32_t nq_function_count = sizeof nq_functions / sizeof nq_functions[0];

nq_type_id nq_function_letter_type(char letter) {
    switch (letter) {
    case 'b':
        return NQ_TYPE_BOOL;
    case '2':
        return NQ_TYPE_INT16;
    case '4':
        return NQ_TYPE_INT32;
    case '8':
        return NQ_TYPE_INT64;
    case 'f':
        return NQ_TYPE_FLOAT32;
    case 'd':
        return NQ_TYPE_FLOAT64;
    case 't':
        return NQ_TYPE_TEXT;
    case 'y':
        return NQ_TYPE_BYTES;
    case 'u':
        return NQ_TYPE_UUID;
    case 'D':
        return NQ_TYPE_DATE;
    case 'T':
        return NQ_TYPE_TIME;
    case 'S':
        return NQ_TYPE_TIMESTAMP;
    default:
        return NQ_TYPE_UNKNOWN;
    }
}
