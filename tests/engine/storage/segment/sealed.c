/* Sealed: the fixture. */
#include "tests/engine/storage/segment/sealed.h"

#include <stdlib.h>
#include <string.h>

#include "engine/ground/base/rng.h"

void fill_noise(void *bytes, size_t size, uint64_t seed) {
    nq_rng rng = {seed};
    uint8_t *at = bytes;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word = nq_rng_next(&rng);
        memcpy(at, &word, 8);
    }
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)nq_rng_next(&rng);
    }
}

nq_segment_info sealed_info(uint32_t data_bytes) {
    return (nq_segment_info){.number = SEALED_NUMBER,
                             .data_bytes = data_bytes,
                             .sequence = SEALED_SEQUENCE,
                             .checkpoint = SEALED_CHECKPOINT,
                             .salt = SEALED_SALT};
}

sealed sealed_of(uint32_t lane_blocks, uint32_t data_bytes) {
    sealed s = {.layout = {lane_blocks}, .data_bytes = data_bytes};
    uint32_t bytes = nq_segment_bytes(s.layout);
    s.written = aligned_alloc(NQ_SEGMENT_BLOCK_BYTES, bytes);
    s.read = aligned_alloc(NQ_SEGMENT_BLOCK_BYTES, bytes);
    fill_noise(s.written, bytes, 1);
    fill_noise(s.read, bytes, data_bytes + UINT64_C(2));
    nq_segment_info info = sealed_info(data_bytes);
    nq_segment_seal(s.layout, &info, s.read);
    nq_segment_extent extents[NQ_SEGMENT_EXTENTS_MAX];
    size_t count = nq_segment_extents(s.layout, data_bytes, extents);
    for (size_t i = 0; i < count; i++) {
        memcpy(s.written + extents[i].offset, s.read + extents[i].offset, extents[i].bytes);
    }
    sealed_reset(&s);
    return s;
}

void sealed_drop(sealed *s) {
    free(s->written);
    free(s->read);
}

void sealed_reset(sealed *s) {
    memcpy(s->read, s->written, nq_segment_bytes(s->layout));
}

nq_segment_state sealed_check(sealed *s) {
    return nq_segment_check(s->layout, SEALED_SALT, SEALED_NUMBER, s->read, &s->damage);
}

uint32_t sealed_offset(const sealed *s, uint32_t lane, uint32_t row) {
    return NQ_SEGMENT_HEADER_BYTES + (lane * s->layout.lane_blocks + row) * NQ_SEGMENT_BLOCK_BYTES;
}

bool sealed_is_restored(const sealed *s) {
    nq_segment_extent extents[NQ_SEGMENT_EXTENTS_MAX];
    size_t count = nq_segment_extents(s->layout, s->data_bytes, extents);
    for (size_t i = 0; i < count; i++) {
        if (memcmp(s->read + extents[i].offset, s->written + extents[i].offset, extents[i].bytes) !=
            0) {
            return false;
        }
    }
    return true;
}
