/* A page comes back from its image as it was, whatever the codec, and no bytes do harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/ground/base/rng.h"
#include "engine/storage/segment/place.h"

static nq_ctx ctx;
static nq_image_encoder *encoder;
static nq_image_decoder *decoder;

static int set_up(void **state) {
    (void)state;
    nq_ctx_init(&ctx, NULL);
    return nq_image_encoder_create(&ctx, &encoder) == NQ_OK &&
                   nq_image_decoder_create(&ctx, &decoder) == NQ_OK
               ? 0
               : -1;
}

static int tear_down(void **state) {
    (void)state;
    nq_image_encoder_destroy(encoder);
    nq_image_decoder_destroy(decoder);
    return 0;
}

/* The first `random_bytes` are noise, the rest repeats. */
static void make_page(uint8_t *page, size_t random_bytes) {
    nq_rng rng = {random_bytes};
    for (size_t i = 0; i < NQ_PAGE_BYTES; i++) {
        page[i] = i < random_bytes ? (uint8_t)nq_rng_next(&rng) : (uint8_t)(i / 100);
    }
}

static void a_page_comes_back_through_every_codec(void **state) {
    (void)state;
    uint8_t page[NQ_PAGE_BYTES];
    uint8_t image[NQ_IMAGE_BYTES_MAX];
    uint8_t back[NQ_PAGE_BYTES];
    for (nq_image_codec wish = NQ_IMAGE_RAW; wish <= NQ_IMAGE_ZSTD; wish++) {
        for (size_t random_bytes = 0; random_bytes <= NQ_PAGE_BYTES; random_bytes += 1024) {
            make_page(page, random_bytes);
            nq_image_codec codec;
            uint32_t bytes = nq_image_encode(encoder, page, wish, image, &codec);
            assert_true(nq_image_is_possible(codec, bytes));
            assert_true(nq_image_decode(decoder, nq_bytes_of(image, bytes), codec, back));
            assert_memory_equal(back, page, NQ_PAGE_BYTES);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_comes_back_through_every_codec),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
