/* Every aggregate function.def names: nq__aggregate_count and so on. */
#ifndef NQ_QUERY_EVAL_AGGREGATE_INTERNAL_H
#define NQ_QUERY_EVAL_AGGREGATE_INTERNAL_H

#include "engine/query/eval/aggregate.h"

#define NQ_FUNCTION(kind, name, kernel, flags, result, args, summary)
#define NQ_AGGREGATE(name, ops, flags, result, args, summary) \
    extern const nq_aggregate_ops nq__aggregate_##ops;
#include "engine/query/eval/function.def"
#undef NQ_AGGREGATE
#undef NQ_FUNCTION

#endif
