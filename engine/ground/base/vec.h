/* Vec: a typed array that grows, on the heap or on an arena.
 *
 *     NQ_VEC(int_vec, int)                 declares struct int_vec and its functions
 *     int_vec rows = {0};                  on the heap; {.arena = arena}: on an arena
 *     if (!int_vec_push(&rows, 7)) …       false: no memory, nothing changed
 *     for (size_t i = 0; i < rows.count; i++) use(rows.items[i]);
 *     int_vec_deinit(&rows);               needed on the heap only
 *
 * Growing moves the items. On an arena the outgrown copies stay until it is reset. */
#ifndef NQ_GROUND_BASE_VEC_H
#define NQ_GROUND_BASE_VEC_H

#include "engine/ground/base/arena.h"
#include "engine/ground/base/heap.h"

/* Room for `count` items of `item_bytes`: the grown memory, or NULL. `*room` is updated. */
void *nq__vec_grow(nq_arena *arena, void *items, size_t used, size_t *room, size_t count,
                   size_t item_bytes);

#define NQ_VEC(name, type)                                                                        \
    typedef struct name {                                                                         \
        type *items;                                                                              \
        size_t count;                                                                             \
        size_t room;                                                                              \
        nq_arena *arena; /* NULL: the heap */                                                     \
    } name;                                                                                       \
    /* Makes room for `count` items in all. */                                                    \
    __attribute__((unused)) static inline bool name##_reserve(name *vec, size_t count) {          \
        if (count <= vec->room) {                                                                 \
            return true;                                                                          \
        }                                                                                         \
        type *items = (type *)nq__vec_grow(vec->arena, vec->items, vec->count, &vec->room, count, \
                                           sizeof(type));                                         \
        vec->items = items != NULL ? items : vec->items;                                          \
        return items != NULL;                                                                     \
    }                                                                                             \
    __attribute__((unused)) static inline bool name##_push(name *vec, type item) {                \
        if (!name##_reserve(vec, vec->count + 1)) {                                               \
            return false;                                                                         \
        }                                                                                         \
        vec->items[vec->count++] = item;                                                          \
        return true;                                                                              \
    }                                                                                             \
    __attribute__((unused)) static inline void name##_deinit(name *vec) {                         \
        if (vec->arena == NULL) {                                                                 \
            nq_heap_free(vec->items);                                                             \
        }                                                                                         \
        *vec = (name){.arena = vec->arena};                                                       \
    }

#endif
