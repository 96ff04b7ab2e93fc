/* Text forms of numbers, UUIDs and byte strings: strict, whole, locale-independent.
 *
 * Parsers take the text without surrounding blanks (nq_text_trim) and answer false when it is
 * anything else than one value; `out_is_range` then tells "a number, but too large" from "no
 * number". Printers write at most NQ_TEXT_BYTES_MAX bytes (byte strings aside), no NUL, and answer
 * the length. */
#ifndef NQ_DATA_VALUE_TEXT_H
#define NQ_DATA_VALUE_TEXT_H

#include "engine/ground/base/bytes.h"

enum { NQ_TEXT_BYTES_MAX = 48 };

nq_bytes nq_text_trim(nq_bytes text);

bool nq_int64_parse(nq_bytes text, int64_t *out_value, bool *out_is_range);
/* Decimal or exponent form, "Infinity", "-inf", "NaN" in any case. */
bool nq_float64_parse(nq_bytes text, double *out_value, bool *out_is_range);
bool nq_bool_parse(nq_bytes text, bool *out_value);
/* 32 hex digits, hyphens after every group of four allowed, braces allowed. */
bool nq_uuid_parse(nq_bytes text, uint8_t out_uuid[16]);
/* "\x0aFF", or PostgreSQL's escape form: bytes as they are, "\\" and "\ooo". Writes at most
 * text.size. */
bool nq_bytes_parse(nq_bytes text, uint8_t *out_bytes, size_t *out_size);

size_t nq_int64_print(int64_t value, char *out_text);
/* The shortest text that reads back to the same bits; 1e+15 and 1e-05 as PostgreSQL writes them. */
size_t nq_float64_print(double value, char *out_text);
/* The same for a value that was rounded to float: the shortest that reads back to that float. */
size_t nq_float32_print(double value, char *out_text);
size_t nq_uuid_print(const uint8_t uuid[16], char *out_text);
/* "\x0aff": 2 + 2 * bytes.size. */
size_t nq_bytes_print(nq_bytes bytes, char *out_text);

#endif
