/* A sealed segment survives what it promises to survive, and says what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/ground/base/rng.h"
#include "engine/storage/segment/damage.h"

enum { SALT = 77, NUMBER = 5 };

typedef struct fixture {
    nq_segment_layout layout;
    uint8_t *written; /* as sealed */
    uint8_t *read;    /* as damaged and repaired */
    nq_segment_damage damage;
} fixture;

static void fill_random(uint8_t *bytes, size_t size, uint64_t seed) {
    nq_rng rng = {seed};
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)nq_rng_next(&rng);
    }
}

static fixture sealed(uint32_t lane_blocks, uint32_t data_bytes) {
    fixture f = {.layout = {lane_blocks}};
    uint32_t bytes = nq_segment_bytes(f.layout);
    f.written = aligned_alloc(NQ_SEGMENT_BLOCK_BYTES, bytes);
    f.read = aligned_alloc(NQ_SEGMENT_BLOCK_BYTES, bytes);
    fill_random(f.written, bytes, data_bytes);
    nq_segment_info info = {
        .number = NUMBER, .data_bytes = data_bytes, .sequence = 9, .checkpoint = 3, .salt = SALT};
    nq_segment_seal(f.layout, &info, f.written);
    memcpy(f.read, f.written, bytes);
    return f;
}

static void drop(fixture *f) {
    free(f->written);
    free(f->read);
}

static nq_segment_state check(fixture *f) {
    return nq_segment_check(f->layout, SALT, NUMBER, f->read, &f->damage);
}

static void a_sealed_segment_is_whole_and_says_what_it_is(void **state) {
    (void)state;
    fixture f = sealed(3, 3 * 16 * 4096);
    assert_int_equal(check(&f), NQ_SEGMENT_WHOLE);
    assert_int_equal(f.damage.info.sequence, 9);
    assert_int_equal(f.damage.info.data_bytes, 3 * 16 * 4096);
    drop(&f);
}

static void any_two_blocks_of_a_row_are_restored(void **state) {
    (void)state;
    fixture f = sealed(3, 3 * 16 * 4096);
    for (uint32_t first = 0; first < NQ_SEGMENT_LANES; first++) {
        for (uint32_t second = 0; second < NQ_SEGMENT_LANES; second++) {
            memset(f.read + 4096 + (size_t)first * 3 * 4096, 0, 4096);
            memset(f.read + 4096 + (size_t)second * 3 * 4096, 0, 4096);
            assert_int_equal(check(&f), NQ_SEGMENT_DAMAGED);
            assert_true(nq_segment_repair(f.layout, &f.damage, f.read));
            assert_memory_equal(f.read, f.written, nq_segment_bytes(f.layout));
        }
    }
    drop(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_segment_is_whole_and_says_what_it_is),
        cmocka_unit_test(any_two_blocks_of_a_row_are_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
