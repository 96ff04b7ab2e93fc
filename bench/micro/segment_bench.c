/* The page store's inner loops, beside the libraries they stand on: one line per goal, rates per
 * second, medians of alternating rounds on one core.
 *
 * Checksums against ISA-L's; sealing a full segment against ISA-L's general Reed–Solomon encoder
 * and checksum on the same blocks; images against liblz4 and libzstd called plainly. */
#include <isa-l.h>
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "engine/ground/base/rng.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/simd/crc32c.h"
#include "engine/storage/page/node.h"
#include "engine/storage/segment/damage.h"
#include "engine/storage/segment/image.h"

enum {
    ROUNDS = 9,
    BLOCK = NQ_SEGMENT_BLOCK_BYTES,
    LANE_BYTES = NQ_SEGMENT_LANE_BLOCKS_MAX * BLOCK,
    SALT = 7,
    ISAL_TABLE_BYTES = 32,
    ZSTD_PEER_LEVEL = 1,
};

static const nq_segment_layout layout = {NQ_SEGMENT_LANE_BLOCKS_MAX};
static _Alignas(NQ_SEGMENT_BLOCK_BYTES) uint8_t segment[4 << 20];
static _Alignas(NQ_SEGMENT_BLOCK_BYTES) uint8_t sealed[4 << 20];
static nq_page page;
static uint8_t image[NQ_IMAGE_BYTES_MAX];
static uint32_t image_bytes;
static nq_image_codec image_codec;
static nq_image_encoder *encoder;
static nq_image_decoder *decoder;
static size_t checksum_bytes;
static volatile uint64_t sink; /* what was computed, so that it cannot be left out */

/* ---- Rates ---- */

static int compare_doubles(const void *left, const void *right) {
    double l = *(const double *)left;
    double r = *(const double *)right;
    return (l > r) - (l < r);
}

static double rate_of(void (*work)(void), uint32_t times) {
    uint64_t start = nq_clock_monotonic_ns();
    for (uint32_t i = 0; i < times; i++) {
        work();
    }
    return times * 1e9 / (double)(nq_clock_monotonic_ns() - start);
}

static void measure(const char *name, void (*ours)(void), void (*theirs)(void), uint32_t times,
                    double gate) {
    double our_rates[ROUNDS];
    double their_rates[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        our_rates[round] = rate_of(ours, times);
        their_rates[round] = rate_of(theirs, times);
    }
    qsort(our_rates, ROUNDS, sizeof our_rates[0], compare_doubles);
    qsort(their_rates, ROUNDS, sizeof their_rates[0], compare_doubles);
    double our_rate = our_rates[ROUNDS / 2];
    double their_rate = their_rates[ROUNDS / 2];
    printf("BENCH %s ours=%.0f/s peer=%.0f/s ratio=%.2f gate=>=%.2f %s   (%.2f us)\n", name,
           our_rate, their_rate, our_rate / their_rate, gate,
           our_rate / their_rate >= gate ? "ok" : "short", 1e6 / our_rate);
}

/* ---- Checksums ---- */

static void our_checksum(void) {
    sink += nq_crc32c(0, sealed, checksum_bytes);
}

static void their_checksum(void) {
    sink += crc32_iscsi(sealed, (int)checksum_bytes, 0);
}

static void measure_checksums(void) {
    static const size_t sizes[] = {500, 1500, 4096, 8192, 16384};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char name[40];
        checksum_bytes = sizes[i];
        (void)snprintf(name, sizeof name, "crc32c-%zu", sizes[i]);
        measure(name, our_checksum, their_checksum, (uint32_t)(100000000 / sizes[i]), 0.9);
    }
}

/* ---- Segments ---- */

static void our_seal(void) {
    nq_segment_info info = {.number = 1,
                            .data_bytes = nq_segment_data_bytes_max(layout),
                            .sequence = 1,
                            .checkpoint = 1,
                            .salt = SALT};
    nq_segment_seal(layout, &info, segment);
}

static void their_check(void) {
    for (uint32_t i = 0; i < nq_segment_checked_blocks(layout); i++) {
        sink += crc32_iscsi(segment + BLOCK + (size_t)i * BLOCK, BLOCK, 0);
    }
}

static void their_seal(void) {
    uint8_t matrix[NQ_SEGMENT_LANES * NQ_SEGMENT_DATA_LANES];
    uint8_t tables[NQ_SEGMENT_PARITY_LANES * NQ_SEGMENT_DATA_LANES * ISAL_TABLE_BYTES];
    uint8_t *lanes[NQ_SEGMENT_LANES];
    gf_gen_rs_matrix(matrix, NQ_SEGMENT_LANES, NQ_SEGMENT_DATA_LANES);
    ec_init_tables(NQ_SEGMENT_DATA_LANES, NQ_SEGMENT_PARITY_LANES,
                   matrix + NQ_SEGMENT_DATA_LANES * NQ_SEGMENT_DATA_LANES, tables);
    for (uint32_t lane = 0; lane < NQ_SEGMENT_LANES; lane++) {
        lanes[lane] = segment + BLOCK + (size_t)lane * LANE_BYTES;
    }
    ec_encode_data(LANE_BYTES, NQ_SEGMENT_DATA_LANES, NQ_SEGMENT_PARITY_LANES, tables, lanes,
                   lanes + NQ_SEGMENT_DATA_LANES);
    their_check();
}

/* Two lanes lost, from the middle of a lane on: what one damaged run does at worst. May take three
 * times as long as sealing. */
static void our_repair(void) {
    nq_segment_damage damage;
    memset(segment + BLOCK + 5 * LANE_BYTES + LANE_BYTES / 2, 0, 2 * LANE_BYTES);
    (void)nq_segment_check(layout, SALT, 1, segment, &damage);
    if (!nq_segment_repair(layout, &damage, segment)) {
        abort();
    }
}

static void our_check(void) {
    nq_segment_damage damage;
    sink += nq_segment_check(layout, SALT, 1, segment, &damage);
}

/* ---- Images ---- */

static void encode(nq_image_codec wish) {
    static nq_page prepared;
    nq_image_prepare(&page, &prepared);
    image_bytes = nq_image_encode(encoder, &prepared, wish, image, &image_codec);
}

static void our_lz4_encode(void) {
    encode(NQ_IMAGE_LZ4);
}

static void our_zstd_encode(void) {
    encode(NQ_IMAGE_ZSTD);
}

static void their_lz4_encode(void) {
    static char target[LZ4_COMPRESSBOUND(NQ_PAGE_BYTES)];
    sink +=
        (uint64_t)LZ4_compress_default((const char *)&page, target, NQ_PAGE_BYTES, sizeof target);
}

static void their_zstd_encode(void) {
    static char target[ZSTD_COMPRESSBOUND(NQ_PAGE_BYTES)];
    sink += ZSTD_compress(target, sizeof target, &page, NQ_PAGE_BYTES, ZSTD_PEER_LEVEL);
}

static void our_decode(void) {
    static nq_page back;
    sink += nq_image_decode(decoder, nq_bytes_of(image, image_bytes), image_codec, &back);
}

static void their_lz4_decode(void) {
    static nq_page back;
    sink += (uint64_t)LZ4_decompress_safe((const char *)image, (char *)&back, (int)image_bytes,
                                          NQ_PAGE_BYTES);
}

static void their_zstd_decode(void) {
    static nq_page back;
    sink += ZSTD_decompress(&back, sizeof back, image, image_bytes);
}

/* A leaf of rows with values of which half is noise. */
static void make_half_random_page(void) {
    nq_rng rng = {5};
    nq_page_init(&page, (nq_page_id){9}, 1, NQ_PAGE_LEAF);
    for (uint16_t i = 0;; i++) {
        uint8_t key[8] = {0, 0, 0, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};
        uint8_t value[100] = {0};
        for (size_t at = 0; at < sizeof value / 2; at++) {
            value[at] = (uint8_t)nq_rng_next(&rng);
        }
        if (!nq_node_insert(&page, i, nq_bytes_of(key, 8), nq_bytes_of(value, 100), false)) {
            return;
        }
    }
}

/* A leaf of readings as JSON. */
static void make_telemetry_page(void) {
    nq_rng rng = {6};
    nq_page_init(&page, (nq_page_id){9}, 1, NQ_PAGE_LEAF);
    for (uint16_t i = 0;; i++) {
        uint8_t key[8] = {0, 0, 0, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};
        char value[160];
        int bytes =
            snprintf(value, sizeof value,
                     "{\"sensor\":\"kitchen-%u\",\"at\":\"2026-01-01T00:%02u:%02uZ\","
                     "\"celsius\":%u.%u,\"humidity\":%u}",
                     i % 3, i / 60 % 60, i % 60, 18 + (unsigned)nq_rng_below(&rng, 7),
                     (unsigned)nq_rng_below(&rng, 10), 40 + (unsigned)nq_rng_below(&rng, 20));
        if (!nq_node_insert(&page, i, nq_bytes_of(key, 8), nq_bytes_of(value, (size_t)bytes),
                            false)) {
            return;
        }
    }
}

static void measure_images(const char *kind) {
    char name[60];
    (void)snprintf(name, sizeof name, "image-lz4-encode-%s", kind);
    measure(name, our_lz4_encode, their_lz4_encode, 2000, 0.8);
    printf("      %s: lz4 %u of %d bytes\n", kind, image_bytes, NQ_PAGE_BYTES);
    (void)snprintf(name, sizeof name, "image-lz4-decode-%s", kind);
    measure(name, our_decode, their_lz4_decode, 20000, 0.9);
    (void)snprintf(name, sizeof name, "image-zstd-encode-%s", kind);
    measure(name, our_zstd_encode, their_zstd_encode, 1000, 1.0);
    printf("      %s: zstd %u of %d bytes\n", kind, image_bytes, NQ_PAGE_BYTES);
    (void)snprintf(name, sizeof name, "image-zstd-decode-%s", kind);
    measure(name, our_decode, their_zstd_decode, 5000, 1.0);
}

int main(void) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_rng rng = {1};
    for (size_t i = 0; i < sizeof segment; i++) {
        segment[i] = (uint8_t)nq_rng_next(&rng);
    }
    if (nq_image_encoder_create(&ctx, &encoder) != NQ_OK ||
        nq_image_decoder_create(&ctx, &decoder) != NQ_OK) {
        (void)fprintf(stderr, "%s\n", ctx.error.message);
        return 1;
    }
    our_seal();
    memcpy(sealed, segment, sizeof sealed);
    measure_checksums();
    measure("segment-seal", our_seal, their_seal, 20, 1.0);
    our_seal();
    measure("segment-check", our_check, their_check, 20, 0.9);
    measure("segment-check-and-repair", our_repair, their_seal, 20, 1.0 / 3);
    make_half_random_page();
    measure_images("half-random");
    make_telemetry_page();
    measure_images("telemetry");
    nq_image_encoder_destroy(encoder);
    nq_image_decoder_destroy(decoder);
    return 0;
}
