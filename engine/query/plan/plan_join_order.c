/* Plan the join order: greedy operator ordering (Fegaras, DEXA 1998).
 *
 * Every input starts as a piece. The two pieces whose join is estimated smallest become one, until
 * one is left; pieces that no condition connects are only multiplied when nothing else remains. The
 * result may be bushy. The smaller side of a hash join is built. */
#include "engine/query/plan/join_internal.h"

typedef struct ordering {
    nq__block *block;
    nq__planned *pieces;
    uint32_t piece_count;
    const nq__exprs *conditions;
    uint64_t *leaves; /* by condition */
    bool *is_applied; /* by condition */
} ordering;

typedef struct pair {
    uint32_t left, right;
    double rows;
    bool is_found;
} pair;

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

static nq_status consider(ordering *o, uint32_t left, uint32_t right, pair *best) {
    nq_arena *arena = o->block->b->arena;
    nq_arena_mark mark = nq_arena_get_mark(arena);
    nq__exprs conditions = {0};
    uint64_t leaves = o->pieces[left].leaves | o->pieces[right].leaves;
    NQ_TRY(applicable(o, leaves, &conditions));
    double rows = nq__joined_rows(o->block, &o->pieces[left], &o->pieces[right], &conditions);
    nq_arena_reset_to(arena, mark);
    if (!best->is_found || rows < best->rows) {
        *best = (pair){left, right, rows, true};
    }
    return NQ_OK;
}

/* The two pieces a condition speaks of; false when they are not exactly two. */
static bool pieces_of(const ordering *o, uint32_t condition, uint32_t *out_left,
                      uint32_t *out_right) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < o->piece_count; ++i) {
        if ((o->pieces[i].leaves & o->leaves[condition]) != 0) {
            if (count == 2) {
                return false;
            }
            *(count == 0 ? out_left : out_right) = i;
            ++count;
        }
    }
    return count == 2;
}

static nq_status choose_pair(ordering *o, pair *best) {
    *best = (pair){0};
    for (uint32_t i = 0; i < o->conditions->count; ++i) {
        uint32_t left = 0, right = 0;
        if (!o->is_applied[i] && pieces_of(o, i, &left, &right)) {
            NQ_TRY(consider(o, left, right, best));
        }
    }
    if (best->is_found) {
        return NQ_OK;
    }
    uint32_t first = 0, second = 1; /* nothing connects: the two smallest */
    for (uint32_t i = 1; i < o->piece_count; ++i) {
        if (o->pieces[i].rows < o->pieces[first].rows) {
            second = first;
            first = i;
        } else if (second == first || o->pieces[i].rows < o->pieces[second].rows) {
            second = i;
        }
    }
    *best = (pair){first < second ? first : second, first < second ? second : first, 0, true};
    return NQ_OK;
}

/* Joins the pair; the right side of a join is the one built or repeated, so the smaller goes there,
 * unless the left could look its rows up by key. */
static nq_status join_pair(ordering *o, const pair *chosen) {
    nq__planned *left = &o->pieces[chosen->left], *right = &o->pieces[chosen->right];
    nq__exprs conditions = {0};
    uint64_t leaves = left->leaves | right->leaves;
    NQ_TRY(applicable(o, leaves, &conditions));
    if (left->rows < right->rows) {
        nq__planned joined;
        NQ_TRY(nq__join_pieces(o->block, NQ_JOIN_INNER, left, right, &conditions, &joined));
        if (joined.node->kind != NQ_PLAN_KEY_JOIN) {
            NQ_TRY(nq__join_pieces(o->block, NQ_JOIN_INNER, right, left, &conditions, &joined));
        }
        *left = joined;
    } else {
        nq__planned joined;
        NQ_TRY(nq__join_pieces(o->block, NQ_JOIN_INNER, right, left, &conditions, &joined));
        if (joined.node->kind != NQ_PLAN_KEY_JOIN) {
            NQ_TRY(nq__join_pieces(o->block, NQ_JOIN_INNER, left, right, &conditions, &joined));
        }
        *left = joined;
    }
    for (uint32_t i = 0; i < o->conditions->count; ++i) {
        o->is_applied[i] |= is_within(o->leaves[i], leaves);
    }
    o->pieces[chosen->right] = o->pieces[--o->piece_count];
    return NQ_OK;
}

nq_status nq__order_joins(nq__block *block, nq__planned *pieces, uint32_t piece_count,
                          const nq__exprs *conditions, nq__planned *out_planned) {
    nq__binder *b = block->b;
    if (piece_count == 1) {
        *out_planned = pieces[0];
        return nq__filter_piece(block, out_planned, conditions);
    }
    ordering o = {.block = block,
                  .pieces = pieces,
                  .piece_count = piece_count,
                  .conditions = conditions,
                  .leaves = nq__bind_alloc(b, conditions->count, sizeof(uint64_t)),
                  .is_applied = nq__bind_alloc(b, conditions->count, sizeof(bool))};
    if (o.leaves == NULL || o.is_applied == NULL) {
        return nq__bind_no_memory(b);
    }
    for (uint32_t i = 0; i < conditions->count; ++i) {
        o.leaves[i] = nq__leaves_of(block, conditions->items[i]);
    }
    while (o.piece_count > 1) {
        pair chosen;
        NQ_TRY(choose_pair(&o, &chosen));
        NQ_TRY(join_pair(&o, &chosen));
    }
    *out_planned = pieces[0];
    return NQ_OK;
}
