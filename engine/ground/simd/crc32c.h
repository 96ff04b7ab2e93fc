/* CRC32C (Castagnoli, RFC 3720 appendix B.4): the checksum of every page, log record and batch. */
#ifndef NQ_GROUND_SIMD_CRC32C_H
#define NQ_GROUND_SIMD_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of `bytes` at `data`, continuing from `seed`: 0, the checksum of what came before,
 * or any number that must not match elsewhere. nq_crc32c(nq_crc32c(0, a), b) equals that of a and b
 * joined. */
uint32_t nq_crc32c(uint32_t seed, const void *data, size_t bytes);

/* The implementations behind it, for tests that compare them. An unavailable one is NULL. */
typedef uint32_t (*nq_crc32c_kernel)(uint32_t seed, const void *data, size_t bytes);
typedef struct nq_crc32c_variant {
    const char *name; /* "scalar", "sse4.2", "armv8-crc" */
    nq_crc32c_kernel kernel;
} nq_crc32c_variant;
enum { NQ_CRC32C_VARIANT_COUNT = 2 };
nq_crc32c_variant nq_crc32c_variant_get(unsigned index);

#endif
