/* A page comes back from its image as it was, whatever the codec, and no bytes do harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/base/rng.h"
#include "engine/storage/page/node.h"
#include "engine/storage/segment/image.h"

static nq_ctx ctx;
static nq_image_encoder *encoder;
static nq_image_decoder *decoder;

static int set_up(void **state) {
    (void)state;
    nq_ctx_init(&ctx, NULL);
    bool is_ready = nq_image_encoder_create(&ctx, &encoder) == NQ_OK &&
                    nq_image_decoder_create(&ctx, &decoder) == NQ_OK;
    return is_ready ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    nq_image_encoder_destroy(encoder);
    nq_image_decoder_destroy(decoder);
    return 0;
}

/* The first `noise_bytes` are noise, the rest repeats. */
static void make_bytes(uint8_t *page, size_t noise_bytes) {
    nq_rng rng = {noise_bytes};
    for (size_t i = 0; i < NQ_PAGE_BYTES; i++) {
        page[i] = i < noise_bytes ? (uint8_t)nq_rng_next(&rng) : (uint8_t)(i / 100);
    }
}

/* An image in a block of exactly its size, so that ASan sees a byte read behind it. */
typedef struct exact_image {
    uint8_t *bytes;
    uint32_t size;
    nq_image_codec codec;
} exact_image;

static exact_image encode(const void *page, nq_image_codec wish) {
    uint8_t buffer[NQ_IMAGE_BYTES_MAX];
    exact_image image;
    image.size = nq_image_encode(encoder, page, wish, buffer, &image.codec);
    image.bytes = malloc(image.size);
    memcpy(image.bytes, buffer, image.size);
    return image;
}

static bool decode(exact_image image, uint8_t *out_page) {
    return nq_image_decode(decoder, nq_bytes_of(image.bytes, image.size), image.codec, out_page);
}

static void a_page_comes_back_through_every_codec(void **state) {
    (void)state;
    uint8_t page[NQ_PAGE_BYTES];
    uint8_t back[NQ_PAGE_BYTES];
    for (nq_image_codec wish = NQ_IMAGE_RAW; wish <= NQ_IMAGE_ZSTD; wish++) {
        for (size_t noise_bytes = 0; noise_bytes <= NQ_PAGE_BYTES; noise_bytes += 512) {
            make_bytes(page, noise_bytes);
            exact_image image = encode(page, wish);
            assert_true(nq_image_is_possible(image.codec, image.size));
            assert_true(decode(image, back));
            assert_memory_equal(back, page, NQ_PAGE_BYTES);
            free(image.bytes);
        }
    }
}

static void what_does_not_win_a_tenth_stays_raw(void **state) {
    (void)state;
    uint8_t page[NQ_PAGE_BYTES];
    for (nq_image_codec wish = NQ_IMAGE_LZ4; wish <= NQ_IMAGE_ZSTD; wish++) {
        make_bytes(page, NQ_PAGE_BYTES);
        exact_image noise = encode(page, wish);
        assert_int_equal(noise.codec, NQ_IMAGE_RAW);
        assert_int_equal(noise.size, NQ_PAGE_BYTES);
        free(noise.bytes);
        make_bytes(page, NQ_PAGE_BYTES - NQ_PAGE_BYTES / 20);
        exact_image nearly = encode(page, wish);
        assert_int_equal(nearly.codec, NQ_IMAGE_RAW);
        free(nearly.bytes);
        make_bytes(page, NQ_PAGE_BYTES * 4 / 5);
        exact_image compressed = encode(page, wish);
        assert_int_equal(compressed.codec, wish);
        assert_true(compressed.size <= NQ_PAGE_BYTES - NQ_PAGE_BYTES / 10);
        free(compressed.bytes);
    }
}

static void half_random_rows_become_little_more_than_half(void **state) {
    (void)state;
    nq_page page;
    nq_page_init(&page, (nq_page_id){9}, 1, NQ_PAGE_LEAF);
    nq_rng rng = {5};
    for (uint16_t i = 0;; i++) {
        uint8_t key[8] = {0, 0, 0, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};
        uint8_t value[100] = {0};
        for (size_t at = 0; at < 50; at++) {
            value[at] = (uint8_t)nq_rng_next(&rng);
        }
        if (!nq_node_insert(&page, i, nq_bytes_of(key, 8), nq_bytes_of(value, 100), false)) {
            break;
        }
    }
    for (nq_image_codec wish = NQ_IMAGE_LZ4; wish <= NQ_IMAGE_ZSTD; wish++) {
        exact_image image = encode(&page, wish);
        assert_int_equal(image.codec, wish);
        assert_in_range(image.size, NQ_PAGE_BYTES * 40 / 100, NQ_PAGE_BYTES * 58 / 100);
        free(image.bytes);
    }
}

static void zstd_makes_text_smaller_than_lz4(void **state) {
    (void)state;
    uint8_t page[NQ_PAGE_BYTES];
    nq_rng rng = {6};
    for (size_t i = 0; i < NQ_PAGE_BYTES; i++) {
        page[i] = (uint8_t) "0123456789,.:-\" temperature"[nq_rng_below(&rng, 27)];
    }
    exact_image lz4 = encode(page, NQ_IMAGE_LZ4);
    exact_image zstd = encode(page, NQ_IMAGE_ZSTD);
    assert_true(zstd.size < lz4.size);
    free(lz4.bytes);
    free(zstd.bytes);
}

static void a_cut_or_lengthened_image_is_refused(void **state) {
    (void)state;
    uint8_t page[NQ_PAGE_BYTES];
    uint8_t back[NQ_PAGE_BYTES];
    make_bytes(page, 1000);
    for (nq_image_codec wish = NQ_IMAGE_RAW; wish <= NQ_IMAGE_ZSTD; wish++) {
        exact_image image = encode(page, wish);
        for (uint32_t size = 0; size < image.size; size += size < 16 ? 1 : 61) {
            uint8_t *cut = malloc(size == 0 ? 1 : size);
            memcpy(cut, image.bytes, size);
            assert_false(nq_image_decode(decoder, nq_bytes_of(cut, size), image.codec, back));
            free(cut);
        }
        uint8_t *longer = malloc(image.size + 1);
        memcpy(longer, image.bytes, image.size);
        longer[image.size] = 1;
        assert_false(
            nq_image_decode(decoder, nq_bytes_of(longer, image.size + 1), image.codec, back));
        free(longer);
        free(image.bytes);
    }
}

static void hostile_images_do_no_harm(void **state) {
    (void)state;
    nq_rng rng = {7};
    uint8_t page[NQ_PAGE_BYTES];
    uint8_t *back = malloc(NQ_PAGE_BYTES);
    for (int round = 0; round < 3000; round++) {
        make_bytes(page, (size_t)round * 2);
        exact_image image = encode(page, 1 + round % 2);
        for (uint64_t flips = nq_rng_below(&rng, 4) + 1; flips > 0; flips--) {
            uint64_t bit = nq_rng_below(&rng, image.size * 8);
            image.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
        (void)decode(image, back); /* no checksum here: any outcome, in bounds */
        for (uint32_t at = 0; at < image.size; at++) {
            image.bytes[at] = (uint8_t)nq_rng_next(&rng);
        }
        (void)decode(image, back);
        free(image.bytes);
    }
    free(back);
}

static void an_unknown_codec_is_refused(void **state) {
    (void)state;
    uint8_t page[NQ_PAGE_BYTES] = {0};
    assert_false(nq_image_decode(decoder, nq_bytes_of(page, 100), 3, page));
    assert_false(nq_image_is_possible(3, 100));
}

static void only_zstd_needs_a_decoder(void **state) {
    (void)state;
    uint8_t page[NQ_PAGE_BYTES];
    uint8_t back[NQ_PAGE_BYTES];
    make_bytes(page, 500);
    exact_image image = encode(page, NQ_IMAGE_LZ4);
    assert_true(nq_image_decode(NULL, nq_bytes_of(image.bytes, image.size), NQ_IMAGE_LZ4, back));
    assert_memory_equal(back, page, NQ_PAGE_BYTES);
    free(image.bytes);
}

/* ---- What is left out of an image ---- */

static void preparing_a_node_clears_the_gap_and_keeps_every_entry(void **state) {
    (void)state;
    nq_page page;
    nq_page prepared;
    nq_page_init(&page, (nq_page_id){9}, 1, NQ_PAGE_LEAF);
    memset(page.body, 0xee, sizeof page.body);
    for (uint16_t i = 0; i < 20; i++) {
        uint8_t key[2] = {'k', (uint8_t)i};
        assert_true(nq_node_insert(&page, i, nq_bytes_of(key, 2), nq_bytes_of("value", 5), false));
    }
    nq_image_prepare(&page, &prepared);
    assert_null(nq_page_broken_rule(&prepared));
    size_t slots_end = NQ_PAGE_HEADER_BYTES + 20 * NQ_NODE_SLOT_BYTES;
    for (size_t at = slots_end; at < page.heap_start; at++) {
        assert_int_equal(((uint8_t *)&prepared)[at], 0);
    }
    assert_memory_equal((uint8_t *)&prepared + 4, (uint8_t *)&page + 4, slots_end - 4);
    assert_memory_equal((uint8_t *)&prepared + page.heap_start, (uint8_t *)&page + page.heap_start,
                        (size_t)NQ_PAGE_BYTES - page.heap_start);
}

static void preparing_a_node_clears_removed_cells(void **state) {
    (void)state;
    nq_page page;
    nq_page prepared;
    nq_page_init(&page, (nq_page_id){9}, 1, NQ_PAGE_LEAF);
    for (uint16_t i = 0; i < 40; i++) {
        uint8_t entry[100];
        memset(entry, 'a' + i, sizeof entry);
        assert_true(
            nq_node_insert(&page, i, nq_bytes_of(entry, 10), nq_bytes_of(entry, 100), false));
    }
    for (uint16_t i = 0; i < 20; i++) {
        nq_node_remove(&page, i);
    }
    assert_true(page.dead_bytes > 0);
    nq_image_prepare(&page, &prepared);
    assert_null(nq_page_broken_rule(&prepared));
    assert_int_equal(prepared.slot_count, 20);
    for (uint16_t i = 0; i < 20; i++) {
        bool is_overflow;
        assert_true(nq_bytes_equal(nq_node_suffix(&prepared, i), nq_node_suffix(&page, i)));
        assert_true(nq_bytes_equal(nq_node_payload(&prepared, i, &is_overflow),
                                   nq_node_payload(&page, i, &is_overflow)));
    }
    uint32_t zeros = 0;
    for (size_t at = page.heap_start; at < NQ_PAGE_BYTES; at++) {
        zeros += ((uint8_t *)&prepared)[at] == 0;
    }
    assert_true(zeros >= page.dead_bytes);
}

static void preparing_an_overflow_page_clears_what_is_behind_its_payload(void **state) {
    (void)state;
    nq_page page;
    nq_page prepared;
    nq_page_init(&page, (nq_page_id){9}, 1, NQ_PAGE_OVERFLOW);
    memset(page.body, 0xee, sizeof page.body);
    page.payload_bytes = 100;
    nq_image_prepare(&page, &prepared);
    assert_memory_equal(prepared.body, page.body, 100);
    for (size_t at = 100; at < NQ_PAGE_BODY_BYTES; at++) {
        assert_int_equal(prepared.body[at], 0);
    }
    page.payload_bytes = NQ_PAGE_BODY_BYTES;
    nq_image_prepare(&page, &prepared);
    assert_memory_equal(prepared.body, page.body, NQ_PAGE_BODY_BYTES);
}

static void preparing_a_broken_page_changes_nothing_of_it(void **state) {
    (void)state;
    nq_page page;
    nq_page prepared;
    for (uint32_t kind = 0; kind < 256; kind++) {
        memset(&page, 0xff, sizeof page);
        page.kind = (uint8_t)kind;
        nq_image_prepare(&page, &prepared);
        assert_memory_equal((uint8_t *)&prepared + 4, (uint8_t *)&page + 4, NQ_PAGE_BYTES - 4);
    }
}

static void a_coder_without_memory_says_so(void **state) {
    (void)state;
    nq_image_encoder *no_encoder;
    nq_image_decoder *no_decoder;
    for (uint64_t nth = 1; nth <= 2; nth++) {
        nq_heap_fail_at(nth, false);
        assert_int_equal(nq_image_encoder_create(&ctx, &no_encoder), NQ_MEMORY_LIMIT);
        nq_heap_fail_never();
        assert_null(no_encoder);
    }
    nq_heap_fail_at(1, false);
    assert_int_equal(nq_image_decoder_create(&ctx, &no_decoder), NQ_MEMORY_LIMIT);
    nq_heap_fail_never();
    assert_null(no_decoder);
}

static void coders_hold_the_same_memory_before_and_after_use(void **state) {
    (void)state;
    nq_image_encoder *fresh_encoder;
    nq_image_decoder *fresh_decoder;
    uint8_t page[NQ_PAGE_BYTES];
    uint8_t image[NQ_IMAGE_BYTES_MAX];
    assert_int_equal(nq_image_encoder_create(&ctx, &fresh_encoder), NQ_OK);
    assert_int_equal(nq_image_decoder_create(&ctx, &fresh_decoder), NQ_OK);
    size_t encoder_bytes = nq_image_encoder_bytes(fresh_encoder);
    size_t decoder_bytes = nq_image_decoder_bytes(fresh_decoder);
    assert_true(encoder_bytes > 0 && decoder_bytes > 0);
    for (size_t noise_bytes = 0; noise_bytes <= NQ_PAGE_BYTES; noise_bytes += 1024) {
        make_bytes(page, noise_bytes);
        nq_image_codec codec;
        uint32_t bytes = nq_image_encode(fresh_encoder, page, NQ_IMAGE_ZSTD, image, &codec);
        assert_true(nq_image_decode(fresh_decoder, nq_bytes_of(image, bytes), codec, page));
    }
    assert_int_equal(nq_image_encoder_bytes(fresh_encoder), encoder_bytes);
    assert_int_equal(nq_image_decoder_bytes(fresh_decoder), decoder_bytes);
    nq_image_encoder_destroy(fresh_encoder);
    nq_image_decoder_destroy(fresh_decoder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_comes_back_through_every_codec),
        cmocka_unit_test(what_does_not_win_a_tenth_stays_raw),
        cmocka_unit_test(half_random_rows_become_little_more_than_half),
        cmocka_unit_test(zstd_makes_text_smaller_than_lz4),
        cmocka_unit_test(a_cut_or_lengthened_image_is_refused),
        cmocka_unit_test(hostile_images_do_no_harm),
        cmocka_unit_test(an_unknown_codec_is_refused),
        cmocka_unit_test(only_zstd_needs_a_decoder),
        cmocka_unit_test(preparing_a_node_clears_the_gap_and_keeps_every_entry),
        cmocka_unit_test(preparing_a_node_clears_removed_cells),
        cmocka_unit_test(preparing_an_overflow_page_clears_what_is_behind_its_payload),
        cmocka_unit_test(preparing_a_broken_page_changes_nothing_of_it),
        cmocka_unit_test(coders_hold_the_same_memory_before_and_after_use),
        cmocka_unit_test(a_coder_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
