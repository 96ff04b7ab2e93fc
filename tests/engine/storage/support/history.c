/* History: see the header. Running one: history_run.c. */
#include "tests/engine/storage/support/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/ground/base/rng.h"
#include "tests/engine/storage/support/oracle.h"

static const struct {
    const char *word;
    uint32_t weight;
} kinds[HISTORY_KIND_COUNT] = {
#define HISTORY_OP(name, word, weight) {word, weight},
#include "tests/engine/storage/support/history_ops.def"
#undef HISTORY_OP
};

static history_kind draw_kind(nq_rng *rng) {
    uint64_t sum = 0;
    for (size_t i = 0; i < HISTORY_KIND_COUNT; i++) {
        sum += kinds[i].weight;
    }
    uint64_t dice = nq_rng_below(rng, sum);
    size_t kind = 0;
    while (dice >= kinds[kind].weight) {
        dice -= kinds[kind++].weight;
    }
    return (history_kind)kind;
}

/* Half of all operations are about a few keys of a few trees: there they meet. */
static uint32_t draw_below(nq_rng *rng, uint32_t bound, uint32_t bound_often) {
    return (uint32_t)nq_rng_below(rng, nq_rng_below(rng, 2) == 0 ? bound_often : bound);
}

void history_init(history *h, uint64_t seed, size_t count) {
    enum { TREES_OFTEN = 2, KEYS_OFTEN = 4 };
    nq_rng rng = {seed};
    *h = (history){.seed = seed, .count = count, .ops = calloc(count, sizeof *h->ops)};
    if (h->ops == NULL) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        h->ops[i] = (history_op){.kind = draw_kind(&rng),
                                 .txn = (uint32_t)nq_rng_below(&rng, ORACLE_TXNS),
                                 .tree = draw_below(&rng, ORACLE_TREES, TREES_OFTEN),
                                 .key = draw_below(&rng, ORACLE_KEYS, KEYS_OFTEN),
                                 .high = (uint32_t)nq_rng_below(&rng, ORACLE_KEYS),
                                 .dice = (uint32_t)nq_rng_next(&rng)};
    }
}

void history_deinit(history *h) {
    free(h->ops);
    *h = (history){0};
}

void history_print(const history *h) {
    fprintf(stderr, "seed %llu, %zu operations:\n", (unsigned long long)h->seed, h->count);
    for (size_t i = 0; i < h->count; i++) {
        const history_op *op = &h->ops[i];
        fprintf(stderr, "%4zu  txn %u  %-22s  tree %u  key %2u  high %2u  dice %08x\n", i, op->txn,
                kinds[op->kind].word, op->tree, op->key, op->high, op->dice);
    }
}

/* The history without `count` operations from `from` on. */
static history without(const history *h, size_t from, size_t count) {
    history part = {.seed = h->seed, .count = h->count - count};
    part.ops = calloc(part.count + 1, sizeof *part.ops);
    if (part.ops == NULL) {
        abort();
    }
    memcpy(part.ops, h->ops, from * sizeof *h->ops);
    memcpy(part.ops + from, h->ops + from + count, (h->count - from - count) * sizeof *h->ops);
    return part;
}

/* Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (TSE 2002), without
 * the tests of the parts alone. */
const char *history_shrink(history *h) {
    history_counts unused = {0};
    size_t step = h->count;
    while (step > 0) {
        bool has_shrunk = false;
        for (size_t from = 0; from < h->count;) {
            size_t count = step < h->count - from ? step : h->count - from;
            history part = without(h, from, count);
            if (history_run(&part, &unused) == NULL) {
                history_deinit(&part);
                from += count;
            } else {
                history_deinit(h);
                *h = part;
                has_shrunk = true;
            }
        }
        step = has_shrunk && step == 1 ? 1 : step / 2;
    }
    return history_run(h, &unused);
}
