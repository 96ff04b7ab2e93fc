/* Rivals: ARC, 2Q and Belady's MIN, as published, over lists of ids. */
#include <stdlib.h>

#include "tests/engine/storage/cache/simulate.h"

enum { NOWHERE, T1, T2, B1, B2, LISTS };

/* Every id is in at most one list. */
typedef struct lists {
    uint32_t *newer; /* by id; 0: none */
    uint32_t *older;
    uint8_t *list_of;
    uint32_t head[LISTS], tail[LISTS], count[LISTS];
} lists;

static void *zeroed(size_t count, size_t bytes) {
    void *memory = calloc(count, bytes);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void lists_init(lists *l, const trace *t) {
    *l = (lists){0};
    l->newer = zeroed(t->id_count + 1, sizeof *l->newer);
    l->older = zeroed(t->id_count + 1, sizeof *l->older);
    l->list_of = zeroed(t->id_count + 1, sizeof *l->list_of);
}

static void lists_deinit(lists *l) {
    free(l->newer);
    free(l->older);
    free(l->list_of);
}

static void leave(lists *l, uint32_t id) {
    uint32_t list = l->list_of[id];
    if (list == NOWHERE) {
        return;
    }
    *(l->newer[id] != 0 ? &l->older[l->newer[id]] : &l->head[list]) = l->older[id];
    *(l->older[id] != 0 ? &l->newer[l->older[id]] : &l->tail[list]) = l->newer[id];
    l->count[list]--;
    l->list_of[id] = NOWHERE;
}

static void move_to(lists *l, uint32_t list, uint32_t id) {
    leave(l, id);
    l->newer[id] = 0;
    l->older[id] = l->head[list];
    *(l->head[list] != 0 ? &l->newer[l->head[list]] : &l->tail[list]) = id;
    l->head[list] = id;
    l->count[list]++;
    l->list_of[id] = (uint8_t)list;
}

/* ---- ARC (Megiddo and Modha, FAST 2003, figure 4) ---- */

static void arc_replace(lists *l, double target, bool is_in_b2) {
    if (l->count[T1] != 0 && (l->count[T1] > target || (is_in_b2 && l->count[T1] == target))) {
        move_to(l, B1, l->tail[T1]);
    } else {
        move_to(l, B2, l->tail[T2]);
    }
}

/* A page seen nowhere makes room for itself. */
static void arc_make_room(lists *l, uint32_t capacity, double target) {
    uint32_t recent = l->count[T1] + l->count[B1];
    uint32_t all = recent + l->count[T2] + l->count[B2];
    if (recent == capacity) {
        if (l->count[T1] < capacity) {
            leave(l, l->tail[B1]);
            arc_replace(l, target, false);
        } else {
            leave(l, l->tail[T1]);
        }
    } else if (all >= capacity) {
        if (all == 2 * capacity) {
            leave(l, l->tail[B2]);
        }
        arc_replace(l, target, false);
    }
}

static double ratio(uint32_t wanted, uint32_t other) {
    return wanted >= other ? 1 : (double)other / wanted;
}

uint64_t simulate_arc(const trace *t, uint32_t capacity) {
    lists l;
    lists_init(&l, t);
    double target = 0;
    uint64_t hits = 0;
    for (size_t i = 0; i < t->count; i++) {
        uint32_t id = t->ids[i];
        switch (l.list_of[id]) {
        case T1:
        case T2:
            hits++;
            move_to(&l, T2, id);
            continue;
        case B1: {
            double step = ratio(l.count[B1], l.count[B2]);
            target = target + step < capacity ? target + step : capacity;
            arc_replace(&l, target, false);
            move_to(&l, T2, id);
            continue;
        }
        case B2: {
            double step = ratio(l.count[B2], l.count[B1]);
            target = target > step ? target - step : 0;
            arc_replace(&l, target, true);
            move_to(&l, T2, id);
            continue;
        }
        default:
            arc_make_room(&l, capacity, target);
            move_to(&l, T1, id);
        }
    }
    lists_deinit(&l);
    return hits;
}

/* ---- 2Q, full version (Johnson and Shasha, VLDB 1994): A1in a quarter, A1out half ---- */

enum { A1IN = T1, AM = T2, A1OUT = B1 };

static void twoq_reclaim(lists *l, uint32_t capacity) {
    if (l->count[A1IN] + l->count[AM] < capacity) {
        return;
    }
    uint32_t in_max = capacity / 4 > 0 ? capacity / 4 : 1;
    uint32_t out_max = capacity / 2 > 0 ? capacity / 2 : 1;
    if (l->count[A1IN] < in_max && l->count[AM] != 0) {
        leave(l, l->tail[AM]);
        return;
    }
    move_to(l, A1OUT, l->tail[A1IN]);
    if (l->count[A1OUT] > out_max) {
        leave(l, l->tail[A1OUT]);
    }
}

uint64_t simulate_2q(const trace *t, uint32_t capacity) {
    lists l;
    lists_init(&l, t);
    uint64_t hits = 0;
    for (size_t i = 0; i < t->count; i++) {
        uint32_t id = t->ids[i];
        uint32_t list = l.list_of[id];
        hits += list == A1IN || list == AM;
        if (list == AM) {
            move_to(&l, AM, id);
        } else if (list != A1IN) {
            twoq_reclaim(&l, capacity);
            move_to(&l, list == A1OUT ? AM : A1IN, id);
        }
    }
    lists_deinit(&l);
    return hits;
}

/* ---- MIN (Belady 1966) ---- */

/* A heap of resident ids, the one needed last on top; stale entries are skipped. */
typedef struct future {
    uint32_t when; /* index of the next request + 1; UINT32_MAX: never */
    uint32_t id;
} future;

static void heap_push(future *heap, size_t *count, future item) {
    size_t at = (*count)++;
    while (at != 0 && heap[(at - 1) / 2].when < item.when) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = item;
}

static future heap_pop(future *heap, size_t *count) {
    future top = heap[0];
    future last = heap[--*count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        child += child + 1 < *count && heap[child + 1].when > heap[child].when;
        if (child >= *count || heap[child].when <= last.when) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return top;
}

uint64_t simulate_min(const trace *t, uint32_t capacity) {
    uint32_t *next = zeroed(t->count, sizeof *next);
    uint32_t *due = zeroed(t->id_count + 1, sizeof *due); /* of a resident id; 0: not resident */
    uint32_t *seen = zeroed(t->id_count + 1, sizeof *seen);
    future *heap = zeroed(t->count + 1, sizeof *heap);
    for (size_t i = t->count; i-- > 0;) {
        next[i] = seen[t->ids[i]] == 0 ? UINT32_MAX : seen[t->ids[i]];
        seen[t->ids[i]] = (uint32_t)i + 1;
    }
    size_t heap_count = 0;
    uint32_t filled = 0;
    uint64_t hits = 0;
    for (size_t i = 0; i < t->count; i++) {
        uint32_t id = t->ids[i];
        if (due[id] != 0) {
            hits++;
        } else if (filled < capacity) {
            filled++;
        } else {
            future victim;
            do {
                victim = heap_pop(heap, &heap_count);
            } while (due[victim.id] != victim.when);
            due[victim.id] = 0;
        }
        due[id] = next[i];
        heap_push(heap, &heap_count, (future){next[i], id});
    }
    free(next);
    free(due);
    free(seen);
    free(heap);
    return hits;
}
