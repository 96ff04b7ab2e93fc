/* UTF-8 (RFC 3629): validation, counting and cutting. Strict: no overlong forms, no surrogates,
 * nothing above U+10FFFF. */
#ifndef NQ_GROUND_BASE_UTF8_H
#define NQ_GROUND_BASE_UTF8_H

#include "engine/ground/base/bytes.h"

/* Bytes of the well-formed character at `data`, 1 to 4; 0 when malformed, cut off, or size is 0. */
size_t nq_utf8_size(const uint8_t *data, size_t size);

bool nq_utf8_is_valid(nq_bytes bytes);

/* Valid, and without U+0000: what TEXT may hold (SQLSTATE 22021 otherwise). */
bool nq_utf8_is_text(nq_bytes bytes);

/* Code points of valid UTF-8. */
size_t nq_utf8_count(nq_bytes bytes);

/* The largest size ≤ size_max at which valid UTF-8 can be cut without splitting a character. */
size_t nq_utf8_cut(nq_bytes bytes, size_t size_max);

#endif
