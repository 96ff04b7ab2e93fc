/* Plan the join order: greedy operator ordering (Fegaras, DEXA 1998).
 *
 * Every input starts as a piece. The two pieces whose join is estimated smallest become one, until
 * one is left; pieces that no condition connects are only multiplied when nothing else remains. The
 * result may be bushy. The smaller side of a hash join is built.
 *
 * Estimates of pairs are kept between steps and made anew only for the piece that has changed, so n
 * pieces and c conditions cost O(n² · c). */
#include "engine/query/plan/join_internal.h"

typedef struct pair_estimate {
    double rows;
    bool is_connected; /* some condition speaks of both */
} pair_estimate;

typedef struct ordering {
    nq__block *block;
    nq__planned *pieces;
    bool is_gone[NQ__LEAF_COUNT_MAX]; /* became part of another piece */
    uint32_t piece_count;
    const nq__exprs *conditions;
    uint64_t *leaves;         /* by condition */
    bool *is_applied;         /* by condition */
    pair_estimate *estimates; /* of i < j at [i * piece_count + j] */
} ordering;

static bool is_within(uint64_t leaves, uint64_t set) {
    return (leaves & ~set) == 0;
}

/* The conditions that the join of these two can check for the first time. */
static nq_status applicable(ordering *o, uint64_t leaves, nq__exprs *out) {
    for (uint32_t i = 0; i < o->conditions->count; ++i) {
        if (!o->is_applied[i] && is_within(o->leaves[i], leaves)) {
            NQ_TRY(nq__exprs_append(o->block->b, out, o->conditions->items[i]));
        }
    }
    return NQ_OK;
}

static nq_status estimate_pair(ordering *o, uint32_t left, uint32_t right) {
    nq_arena *arena = o->block->b->arena;
    nq_arena_mark mark = nq_arena_get_mark(arena);
    nq__exprs conditions = {0};
    uint64_t leaves = o->pieces[left].leaves | o->pieces[right].leaves;
    NQ_TRY(nq_ctx_poll(o->block->b->ctx));
    NQ_TRY(applicable(o, leaves, &conditions));
    o->estimates[left * o->piece_count + right] = (pair_estimate){
        .rows = nq__joined_rows(o->block, &o->pieces[left], &o->pieces[right], &conditions),
        .is_connected = conditions.count > 0,
    };
    nq_arena_reset_to(arena, mark);
    return NQ_OK;
}

static nq_status estimate_with(ordering *o, uint32_t piece) {
    for (uint32_t other = 0; other < o->piece_count; ++other) {
        if (other != piece && !o->is_gone[other]) {
            bool is_first = piece < other;
            NQ_TRY(estimate_pair(o, is_first ? piece : other, is_first ? other : piece));
        }
    }
    return NQ_OK;
}

/* The connected pair with the fewest rows; without one, the pair with the fewest rows. */
static void choose_pair(const ordering *o, uint32_t *out_left, uint32_t *out_right) {
    pair_estimate best = {0};
    bool is_found = false;
    for (uint32_t left = 0; left < o->piece_count; ++left) {
        for (uint32_t right = left + 1; right < o->piece_count; ++right) {
            if (o->is_gone[left] || o->is_gone[right]) {
                continue;
            }
            pair_estimate each = o->estimates[left * o->piece_count + right];
            bool is_better =
                each.is_connected == best.is_connected ? each.rows < best.rows : each.is_connected;
            if (!is_found || is_better) {
                is_found = true;
                best = each;
                *out_left = left;
                *out_right = right;
            }
        }
    }
}

/* The right side of a join is the one built or repeated, so the smaller goes there, unless the
 * smaller could look its partners up by key. */
static nq_status join_pair(ordering *o, uint32_t left, uint32_t right) {
    nq__planned *first = &o->pieces[left], *second = &o->pieces[right], joined;
    if (first->rows >= second->rows) {
        first = &o->pieces[right];
        second = &o->pieces[left];
    }
    nq__exprs conditions = {0};
    uint64_t leaves = first->leaves | second->leaves;
    NQ_TRY(applicable(o, leaves, &conditions));
    NQ_TRY(nq__join_pieces(o->block, NQ_JOIN_INNER, first, second, &conditions, &joined));
    if (joined.node->kind != NQ_PLAN_KEY_JOIN) {
        NQ_TRY(nq__join_pieces(o->block, NQ_JOIN_INNER, second, first, &conditions, &joined));
    }
    o->pieces[left] = joined;
    o->is_gone[right] = true;
    for (uint32_t i = 0; i < o->conditions->count; ++i) {
        o->is_applied[i] |= is_within(o->leaves[i], leaves);
    }
    return NQ_OK;
}

static nq_status order_all(ordering *o) {
    for (uint32_t piece = 1; piece < o->piece_count; ++piece) {
        for (uint32_t before = 0; before < piece; ++before) {
            NQ_TRY(estimate_pair(o, before, piece));
        }
    }
    for (uint32_t left_over = o->piece_count; left_over > 1; --left_over) {
        uint32_t left = 0, right = 0;
        choose_pair(o, &left, &right);
        NQ_TRY(join_pair(o, left, right));
        if (left_over > 2) {
            NQ_TRY(estimate_with(o, left));
        }
    }
    return NQ_OK;
}

nq_status nq__order_joins(nq__block *block, nq__planned *pieces, uint32_t piece_count,
                          const nq__exprs *conditions, nq__planned *out_planned) {
    nq__binder *b = block->b;
    if (piece_count == 1) {
        *out_planned = pieces[0];
        return nq__filter_piece(block, out_planned, conditions);
    }
    ordering o = {
        .block = block,
        .pieces = pieces,
        .piece_count = piece_count,
        .conditions = conditions,
        .leaves = nq__bind_alloc(b, conditions->count, sizeof(uint64_t)),
        .is_applied = nq__bind_alloc(b, conditions->count, sizeof(bool)),
        .estimates = nq__bind_alloc(b, (size_t)piece_count * piece_count, sizeof(pair_estimate)),
    };
    if (o.leaves == NULL || o.is_applied == NULL || o.estimates == NULL) {
        return nq__bind_no_memory(b);
    }
    for (uint32_t i = 0; i < conditions->count; ++i) {
        o.leaves[i] = nq__leaves_of(block, conditions->items[i]);
    }
    NQ_TRY(order_all(&o));
    for (uint32_t i = 0; i < piece_count; ++i) {
        if (!o.is_gone[i]) {
            *out_planned = pieces[i];
        }
    }
    return NQ_OK;
}
