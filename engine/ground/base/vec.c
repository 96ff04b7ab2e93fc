/* Vec: growth by doubling, wherever the items live. */
#include "engine/ground/base/vec.h"

enum { ROOM_FIRST = 8 };

void *nq__vec_grow(nq_arena *arena, void *items, size_t used, size_t *room, size_t count,
                   size_t item_bytes) {
    size_t grown = *room > 0 ? *room : ROOM_FIRST / 2;
    grown = grown <= SIZE_MAX / 2 && count < grown * 2 ? grown * 2 : count;
    size_t bytes;
    if (__builtin_mul_overflow(grown, item_bytes, &bytes)) {
        return NULL;
    }
    void *memory = arena != NULL ? nq_arena_alloc(arena, bytes) : nq_heap_realloc(items, bytes);
    if (memory == NULL) {
        return NULL;
    }
    if (arena != NULL && used > 0) {
        memcpy(memory, items, used * item_bytes);
    }
    *room = grown;
    return memory;
}
