/* MD5 (RFC 1321), for the answers that sqllogictest stores as hashes; never for security. */
#ifndef NQ_TESTS_SQL_MD5_H
#define NQ_TESTS_SQL_MD5_H

#include <stddef.h>
#include <stdint.h>

typedef struct md5 {
    uint32_t state[4];
    uint64_t size;
    uint8_t block[64];
} md5;

void md5_init(md5 *hash);
void md5_add(md5 *hash, const void *data, size_t size);
void md5_finish(md5 *hash, char out_hex[33]);

#endif
