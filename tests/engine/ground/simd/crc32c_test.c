/* Every variant gives RFC 3720's checksums and agrees with the bit-by-bit definition at every
 * length and alignment. */
#include "engine/ground/simd/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/ground/base/rng.h"

static uint32_t by_bits(uint32_t seed, const uint8_t *data, size_t bytes) {
    uint32_t crc = ~seed;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0);
        }
    }
    return ~crc;
}

static void check_vectors(nq_crc32c_kernel kernel) {
    uint8_t data[48];
    memset(data, 0, 32);
    assert_int_equal(kernel(0, data, 32), 0x8A9136AA);
    memset(data, 0xFF, 32);
    assert_int_equal(kernel(0, data, 32), 0x62A8AB43);
    for (int i = 0; i < 32; i++) {
        data[i] = (uint8_t)i;
    }
    assert_int_equal(kernel(0, data, 32), 0x46DD794E);
    for (int i = 0; i < 32; i++) {
        data[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(kernel(0, data, 32), 0x113FDB5C);
    static const uint8_t COMMAND[48] = {0x01, 0xc0, 0, 0,    0,    0, 0, 0,    0,    0, 0,    0,
                                        0,    0,    0, 0,    0x14, 0, 0, 0,    0,    0, 0x04, 0,
                                        0,    0,    0, 0x14, 0,    0, 0, 0x18, 0x28, 0, 0,    0,
                                        0,    0,    0, 0,    0x02, 0, 0, 0,    0,    0, 0,    0};
    assert_int_equal(kernel(0, COMMAND, 48), 0xD9963A56);
    assert_int_equal(kernel(0, "123456789", 9), 0xE3069283);
    assert_int_equal(kernel(0, NULL, 0), 0);
    assert_int_equal(kernel(77, NULL, 0), 77);
}

static void every_variant_gives_the_published_checksums(void **state) {
    (void)state;
    check_vectors(nq_crc32c);
    unsigned found = 0;
    for (unsigned i = 0; i < NQ_CRC32C_VARIANT_COUNT; i++) {
        nq_crc32c_variant variant = nq_crc32c_variant_get(i);
        if (variant.kernel != NULL) {
            check_vectors(variant.kernel);
            found++;
        }
    }
    assert_true(found >= 1);
}

static void every_variant_agrees_at_every_length_and_alignment(void **state) {
    (void)state;
    enum { LENGTH_MAX = 300, ALIGNMENTS = 17 };
    uint8_t *data = malloc(LENGTH_MAX + ALIGNMENTS);
    nq_rng rng = {1};
    for (size_t i = 0; i < LENGTH_MAX + ALIGNMENTS; i++) {
        data[i] = (uint8_t)nq_rng_next(&rng);
    }
    for (size_t length = 0; length <= LENGTH_MAX; length++) {
        for (size_t at = 0; at < ALIGNMENTS; at++) {
            uint32_t seed = (uint32_t)(length * 2654435761u);
            uint32_t want = by_bits(seed, data + at, length);
            for (unsigned i = 0; i < NQ_CRC32C_VARIANT_COUNT; i++) {
                nq_crc32c_kernel kernel = nq_crc32c_variant_get(i).kernel;
                if (kernel != NULL && kernel(seed, data + at, length) != want) {
                    fail_msg("variant %u, %zu bytes at %zu", i, length, at);
                }
            }
        }
    }
    free(data);
}

static void check_lengths_around(const uint8_t *data, size_t length) {
    for (size_t near = 0; near < 40; near++) {
        size_t bytes = length - 20 + near;
        uint32_t want = by_bits(5, data + near % 9, bytes);
        for (unsigned i = 0; i < NQ_CRC32C_VARIANT_COUNT; i++) {
            nq_crc32c_kernel kernel = nq_crc32c_variant_get(i).kernel;
            assert_true(kernel == NULL || kernel(5, data + near % 9, bytes) == want);
        }
    }
}

/* Around the sizes where folding and the streams begin, end and repeat. */
static void every_variant_agrees_around_the_sizes_of_its_parts(void **state) {
    (void)state;
    enum { FOLDED = 256, SHORT_STREAMS = 3 * 128, LONG_STREAMS = 3 * 1024, MOST = 3 };
    size_t room = MOST * (LONG_STREAMS + SHORT_STREAMS) + 64;
    uint8_t *data = malloc(room);
    nq_rng rng = {2};
    for (size_t i = 0; i < room; i++) {
        data[i] = (uint8_t)nq_rng_next(&rng);
    }
    check_lengths_around(data, FOLDED);
    for (size_t count = 1; count <= MOST; count++) {
        check_lengths_around(data, count * SHORT_STREAMS);
        check_lengths_around(data, count * LONG_STREAMS);
        check_lengths_around(data, count * (LONG_STREAMS + SHORT_STREAMS));
    }
    free(data);
}

static void a_checksum_continues_over_any_cut(void **state) {
    (void)state;
    uint8_t data[5000];
    nq_rng rng = {3};
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)nq_rng_next(&rng);
    }
    uint32_t whole = nq_crc32c(0, data, sizeof(data));
    for (size_t cut = 0; cut <= sizeof(data); cut += 37) {
        assert_int_equal(nq_crc32c(nq_crc32c(0, data, cut), data + cut, sizeof(data) - cut), whole);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variant_gives_the_published_checksums),
        cmocka_unit_test(every_variant_agrees_at_every_length_and_alignment),
        cmocka_unit_test(every_variant_agrees_around_the_sizes_of_its_parts),
        cmocka_unit_test(a_checksum_continues_over_any_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
