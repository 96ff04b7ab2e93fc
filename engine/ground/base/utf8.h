/* UTF-8, strictly as Unicode 15 §3.9 (table 3-7) has it: no overlong forms, no surrogates, nothing
 * above U+10FFFF. A character here is a code point. */
#ifndef NQ_GROUND_BASE_UTF8_H
#define NQ_GROUND_BASE_UTF8_H

#include "engine/ground/base/bytes.h"

enum { NQ_UTF8_BYTES_MAX = 4 };

/* True for the empty text too. */
bool nq_utf8_is_valid(nq_bytes text);

/* Valid and without U+0000: what the product accepts as TEXT. */
bool nq_utf8_is_text(nq_bytes text);

/* How many leading bytes of `text` are whole, valid characters: text.size when it is valid. */
size_t nq_utf8_valid_prefix(nq_bytes text);

/* Bytes of the character at `data`, 1 to 4; 0 when it is invalid, cut short, or size is 0. */
size_t nq_utf8_size(const uint8_t *data, size_t size);

/* The same, and the character itself (0 when there is none). */
size_t nq_utf8_decode(const uint8_t *data, size_t size, uint32_t *out_character);

/* Writes `character` to `out_data` (4 bytes of room) and returns its bytes; 0 for a surrogate or
 * above U+10FFFF, which cannot be encoded. */
size_t nq_utf8_encode(uint32_t character, uint8_t *out_data);

/* Characters of valid text. */
size_t nq_utf8_count(nq_bytes text);

/* The byte offset at which character `index` of valid text starts; text.size when it has fewer. */
size_t nq_utf8_offset(nq_bytes text, size_t index);

/* The longest prefix of valid text of at most `bytes_max` bytes that cuts no character. */
nq_bytes nq_utf8_truncate(nq_bytes text, size_t bytes_max);

/* Replaces each byte that does not belong to a valid character with '?', in place. */
void nq_utf8_repair(char *text, size_t size);

#endif
