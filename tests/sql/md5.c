/* MD5, straight from RFC 1321. */
#include "tests/sql/md5.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static uint32_t rotate(uint32_t word, unsigned bits) {
    return word << bits | word >> (32 - bits);
}

static void mix_block(md5 *hash, const uint8_t *block) {
    static const uint8_t turns[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    static uint32_t sines[64];
    if (sines[0] == 0) {
        for (int i = 63; i >= 0; i--) {
            sines[i] = (uint32_t)(int64_t)floor(fabs(sin(i + 1)) * 4294967296.0);
        }
    }
    uint32_t words[16];
    memcpy(words, block, sizeof words);
    uint32_t a = hash->state[0], b = hash->state[1], c = hash->state[2], d = hash->state[3];
    for (unsigned i = 0; i < 64; i++) {
        uint32_t f;
        unsigned word;
        switch (i / 16) {
        case 0:
            f = (b & c) | (~b & d);
            word = i;
            break;
        case 1:
            f = (d & b) | (~d & c);
            word = (5 * i + 1) % 16;
            break;
        case 2:
            f = b ^ c ^ d;
            word = (3 * i + 5) % 16;
            break;
        default:
            f = c ^ (b | ~d);
            word = 7 * i % 16;
            break;
        }
        uint32_t turned = rotate(a + f + sines[i] + words[word], turns[i / 16][i % 4]);
        a = d;
        d = c;
        c = b;
        b += turned;
    }
    hash->state[0] += a;
    hash->state[1] += b;
    hash->state[2] += c;
    hash->state[3] += d;
}

void md5_init(md5 *hash) {
    *hash = (md5){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
}

void md5_add(md5 *hash, const void *data, size_t size) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        hash->block[hash->size++ % 64] = bytes[i];
        if (hash->size % 64 == 0) {
            mix_block(hash, hash->block);
        }
    }
}

void md5_finish(md5 *hash, char out_hex[33]) {
    uint64_t bits = hash->size * 8;
    md5_add(hash, "\x80", 1);
    while (hash->size % 64 != 56) {
        md5_add(hash, "", 1);
    }
    md5_add(hash, &bits, sizeof bits);
    for (unsigned i = 0; i < 16; i++) {
        (void)snprintf(out_hex + 2 * i, 3, "%02x", hash->state[i / 4] >> (8 * (i % 4)) & 0xff);
    }
}
