/* CRC32C: eight tables, or what the processor has.
 *
 * x86-64: the instruction for short runs; for long ones ISA-L, which folds with the widest
 * carry-less multiplication there is. AArch64: the instruction has a latency of three cycles and a
 * throughput of one, so three independent streams keep it busy; their remainders are joined by
 * multiplying with a power of x (Gopal et al., Intel 2011), here by table. */
#include "engine/ground/simd/crc32c.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <isa-l/crc.h>
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

static const uint32_t POLYNOMIAL_REVERSED = 0x82F63B78;

static uint32_t slice[8][256]; /* slice[k][b]: b followed by k zero bytes */
static _Atomic(nq_crc32c_kernel) chosen;

static uint32_t step(uint32_t crc, uint8_t byte) {
    return slice[0][(crc ^ byte) & 0xFF] ^ (crc >> 8);
}

static void make_tables(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL_REVERSED : 0);
        }
        slice[0][byte] = crc;
    }
    for (unsigned k = 1; k < 8; k++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            slice[k][byte] = step(slice[k - 1][byte], 0);
        }
    }
}

static uint32_t run_scalar(uint32_t seed, const void *data, size_t bytes) {
    const uint8_t *at = data;
    uint32_t crc = ~seed;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        word ^= crc;
        crc = slice[7][word & 0xFF] ^ slice[6][word >> 8 & 0xFF] ^ slice[5][word >> 16 & 0xFF] ^
              slice[4][word >> 24 & 0xFF] ^ slice[3][word >> 32 & 0xFF] ^
              slice[2][word >> 40 & 0xFF] ^ slice[1][word >> 48 & 0xFF] ^ slice[0][word >> 56];
    }
    for (; bytes > 0; bytes--, at++) {
        crc = step(crc, *at);
    }
    return ~crc;
}

static inline uint64_t load_word(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

#if defined(__x86_64__)

enum {
    FOLDED_BYTES_MIN = 256,     /* shorter ones are done before folding has begun */
    FOLDED_BYTES_MAX = 1 << 30, /* ISA-L counts in int */
};

static uint32_t run_folded(uint32_t seed, const uint8_t *at, size_t bytes) {
    uint32_t crc = ~seed;
    while (bytes > 0) {
        size_t part = bytes < FOLDED_BYTES_MAX ? bytes : FOLDED_BYTES_MAX;
        crc = crc32_iscsi((unsigned char *)at, (int)part, crc); /* only reads it */
        at += part;
        bytes -= part;
    }
    return ~crc;
}

__attribute__((target("sse4.2"))) static uint32_t run_sse42(uint32_t seed, const void *data,
                                                            size_t bytes) {
    const uint8_t *at = data;
    if (bytes >= FOLDED_BYTES_MIN) {
        return run_folded(seed, at, bytes);
    }
    uint32_t crc = ~seed;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        crc = (uint32_t)_mm_crc32_u64(crc, load_word(at));
    }
    for (; bytes > 0; bytes--, at++) {
        crc = _mm_crc32_u8(crc, *at);
    }
    return ~crc;
}

static nq_crc32c_variant hardware(void) {
    return (nq_crc32c_variant){"sse4.2", __builtin_cpu_supports("sse4.2") ? run_sse42 : NULL};
}

static void prepare_hardware(void) {
}

#elif defined(__aarch64__)

/* Long streams for what is long, short ones for most of the rest. */
enum { STREAM_KINDS = 2 };
static const size_t stream_bytes[STREAM_KINDS] = {1024, 128};

/* join[kind][i][b]: the CRC whose byte i is b, followed by a stream's length of zeros. */
static uint32_t join[STREAM_KINDS][4][256];

static void prepare_hardware(void) {
    for (size_t kind = 0; kind < STREAM_KINDS; kind++) {
        /* Appending zeros is linear: the results of the 32 single bits make up all others. */
        for (unsigned bit = 0; bit < 32; bit++) {
            uint32_t crc = UINT32_C(1) << bit;
            for (size_t i = 0; i < stream_bytes[kind]; i++) {
                crc = step(crc, 0);
            }
            for (unsigned byte = 0; byte < 256; byte++) {
                if ((byte >> (bit % 8) & 1) != 0) {
                    join[kind][bit / 8][byte] ^= crc;
                }
            }
        }
    }
}

/* What `crc` becomes when a stream's length of zeros follows it. */
static inline uint32_t pass_stream(size_t kind, uint32_t crc) {
    return join[kind][0][crc & 0xFF] ^ join[kind][1][(crc >> 8) & 0xFF] ^
           join[kind][2][(crc >> 16) & 0xFF] ^ join[kind][3][crc >> 24];
}

__attribute__((target("+crc"))) static uint32_t run_armv8(uint32_t seed, const void *data,
                                                          size_t bytes) {
    const uint8_t *at = data;
    uint32_t crc = ~seed;
    for (size_t kind = 0; kind < STREAM_KINDS; kind++) {
        size_t stream = stream_bytes[kind];
        for (; bytes >= 3 * stream; bytes -= 3 * stream, at += 3 * stream) {
            uint32_t second = 0;
            uint32_t third = 0;
            for (size_t i = 0; i < stream; i += 8) {
                crc = __crc32cd(crc, load_word(at + i));
                second = __crc32cd(second, load_word(at + stream + i));
                third = __crc32cd(third, load_word(at + 2 * stream + i));
            }
            crc = pass_stream(kind, pass_stream(kind, crc) ^ second) ^ third;
        }
    }
    for (; bytes >= 8; bytes -= 8, at += 8) {
        crc = __crc32cd(crc, load_word(at));
    }
    for (; bytes > 0; bytes--, at++) {
        crc = __crc32cb(crc, *at);
    }
    return ~crc;
}

static nq_crc32c_variant hardware(void) {
    bool has_it = (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
    return (nq_crc32c_variant){"armv8-crc", has_it ? run_armv8 : NULL};
}

#else

static nq_crc32c_variant hardware(void) {
    return (nq_crc32c_variant){"none", NULL};
}

static void prepare_hardware(void) {
}

#endif

/* A constructor, so that no first use can race and no later one has to ask. */
__attribute__((constructor)) static void choose(void) {
    make_tables();
    prepare_hardware();
    nq_crc32c_kernel kernel = hardware().kernel;
    atomic_store_explicit(&chosen, kernel != NULL ? kernel : run_scalar, memory_order_release);
}

uint32_t nq_crc32c(uint32_t seed, const void *data, size_t bytes) {
    return atomic_load_explicit(&chosen, memory_order_relaxed)(seed, data, bytes);
}

nq_crc32c_variant nq_crc32c_variant_get(unsigned index) {
    return index == 0 ? (nq_crc32c_variant){"scalar", run_scalar} : hardware();
}
