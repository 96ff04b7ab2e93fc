/* Numbers as text. Nothing here depends on the locale: digits are gathered by hand, and strtod and
 * snprintf see or show a mantissa without a decimal point only. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/data/value/text.h"

static bool is_digit(uint8_t byte) {
    return byte >= '0' && byte <= '9';
}

static bool is_blank(uint8_t byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

nq_bytes nq_text_trim(nq_bytes text) {
    while (text.size > 0 && is_blank(text.data[0])) {
        text = nq_bytes_of(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && is_blank(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

bool nq_int64_parse(nq_bytes text, int64_t *out_value, bool *out_is_range) {
    *out_value = 0;
    *out_is_range = false;
    size_t i = 0;
    bool is_negative = text.size > 0 && text.data[0] == '-';
    if (is_negative || (text.size > 0 && text.data[0] == '+')) {
        i = 1;
    }
    if (i == text.size) {
        return false;
    }
    uint64_t limit = is_negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t magnitude = 0;
    bool is_range = false;
    for (; i < text.size; i++) {
        if (!is_digit(text.data[i])) {
            return false;
        }
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (magnitude > (limit - digit) / 10) {
            is_range = true; /* Keep reading: it may yet turn out to be no number at all. */
            continue;
        }
        magnitude = magnitude * 10 + digit;
    }
    *out_is_range = is_range;
    *out_value = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return !is_range;
}

/* ---- Reading floats ---- */

/* A decimal number taken apart: digits × 10^exponent. Leading zeros are dropped; digits past what
 * can matter only move the exponent, the last kept digit made odd so that a tie stays broken. */
enum { DECIMAL_DIGITS_MAX = 800, EXPONENT_MAX = 100000 };

typedef struct decimal {
    bool is_negative;
    uint32_t digit_count;
    int32_t exponent;
    char digits[DECIMAL_DIGITS_MAX];
} decimal;

static void decimal_push(decimal *number, uint8_t byte, bool is_fraction) {
    if (number->digit_count == 0 && byte == '0') {
        number->exponent -= is_fraction;
        return;
    }
    if (number->digit_count < DECIMAL_DIGITS_MAX) {
        number->digits[number->digit_count++] = (char)byte;
        number->exponent -= is_fraction;
        return;
    }
    if (byte != '0') {
        number->digits[DECIMAL_DIGITS_MAX - 1] = (char)(number->digits[DECIMAL_DIGITS_MAX - 1] | 1);
    }
    number->exponent += !is_fraction;
}

static bool decimal_parse_exponent(decimal *number, nq_bytes text, size_t i) {
    bool is_negative = i < text.size && text.data[i] == '-';
    if (is_negative || (i < text.size && text.data[i] == '+')) {
        i++;
    }
    if (i == text.size) {
        return false;
    }
    int32_t exponent = 0;
    for (; i < text.size; i++) {
        if (!is_digit(text.data[i])) {
            return false;
        }
        if (exponent < EXPONENT_MAX) {
            exponent = exponent * 10 + (text.data[i] - '0');
        }
    }
    number->exponent += is_negative ? -exponent : exponent;
    return true;
}

static bool decimal_parse(decimal *number, nq_bytes text) {
    number->is_negative = text.size > 0 && text.data[0] == '-';
    number->digit_count = 0;
    number->exponent = 0;
    size_t i = number->is_negative || (text.size > 0 && text.data[0] == '+');
    bool is_fraction = false, has_digits = false;
    for (; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (is_digit(byte)) {
            has_digits = true;
            decimal_push(number, byte, is_fraction);
        } else if (byte == '.' && !is_fraction) {
            is_fraction = true;
        } else if ((byte == 'e' || byte == 'E') && has_digits) {
            return decimal_parse_exponent(number, text, i + 1);
        } else {
            return false;
        }
    }
    return has_digits;
}

static const double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
enum { EXACT_POWER_MAX = 22, EXACT_DIGITS_MAX = 15 };

/* Both factors exact and one rounding: Clinger, "How to Read Floating Point Numbers Accurately". */
static bool decimal_to_double_exactly(const decimal *number, double *out_value) {
    if (number->digit_count > EXACT_DIGITS_MAX || number->exponent > EXACT_POWER_MAX ||
        number->exponent < -EXACT_POWER_MAX) {
        return false;
    }
    int64_t mantissa = 0;
    for (uint32_t i = 0; i < number->digit_count; i++) {
        mantissa = mantissa * 10 + (number->digits[i] - '0');
    }
    double value = (double)mantissa;
    *out_value = number->exponent < 0 ? value / exact_powers[-number->exponent]
                                      : value * exact_powers[number->exponent];
    return true;
}

static double decimal_to_double(const decimal *number) {
    double value;
    if (decimal_to_double_exactly(number, &value)) {
        return value;
    }
    char text[DECIMAL_DIGITS_MAX + 16];
    memcpy(text, number->digits, number->digit_count);
    (void)snprintf(text + number->digit_count, sizeof text - number->digit_count, "e%d",
                   (int)number->exponent);
    return strtod(text, NULL);
}

static bool parse_special(nq_bytes text, double *out_value) {
    bool is_negative = text.size > 0 && text.data[0] == '-';
    nq_bytes word = text;
    if (is_negative || (text.size > 0 && text.data[0] == '+')) {
        word = nq_bytes_of(text.data + 1, text.size - 1);
    }
    if (nq_bytes_equal_fold(word, "infinity") || nq_bytes_equal_fold(word, "inf")) {
        *out_value = is_negative ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    if (nq_bytes_equal_fold(text, "nan")) {
        *out_value = (double)NAN;
        return true;
    }
    return false;
}

bool nq_float64_parse(nq_bytes text, double *out_value, bool *out_is_range) {
    *out_value = 0;
    *out_is_range = false;
    decimal number;
    if (!decimal_parse(&number, text)) {
        return parse_special(text, out_value);
    }
    double value = number.digit_count == 0 ? 0.0 : decimal_to_double(&number);
    *out_is_range = isinf(value) || (value == 0 && number.digit_count > 0);
    *out_value = number.is_negative ? -value : value;
    return !*out_is_range;
}

/* ---- Writing ---- */

size_t nq_int64_print(int64_t value, char *out_text) {
    char reversed[20];
    size_t count = 0, size = 0;
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        reversed[count++] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    if (value < 0) {
        out_text[size++] = '-';
    }
    while (count > 0) {
        out_text[size++] = reversed[--count];
    }
    return size;
}

/* Lays out digits d1d2..dn × 10^(exponent - n + 1), d1 ≠ 0, without trailing zeros. */
static size_t layout_digits(const char *digits, size_t count, int exponent, int exponent_max,
                            char *out_text) {
    size_t size = 0;
    if (exponent < -4 || exponent >= exponent_max) {
        out_text[size++] = digits[0];
        if (count > 1) {
            out_text[size++] = '.';
            memcpy(out_text + size, digits + 1, count - 1);
            size += count - 1;
        }
        return size + (size_t)snprintf(out_text + size, 8, "e%c%02d", exponent < 0 ? '-' : '+',
                                       abs(exponent));
    }
    for (int place = exponent < 0 ? 0 : exponent; place >= 0 || exponent - place < (int)count;
         place--) {
        int index = exponent - place;
        if (place == -1) {
            out_text[size++] = '.';
        }
        out_text[size++] = index < 0 || index >= (int)count ? '0' : digits[index];
    }
    return size;
}

/* Numbers with few decimals, most of what sensors send: when value × 10^6 rounds to an integer
 * below 10^15 that divides back to the same bits, its digits are the shortest (15 digits are
 * unique). */
static size_t gather_few_decimals(double magnitude, char *digits, int *out_exponent) {
    if (magnitude < 1e-4 || magnitude >= 1e9) {
        return 0;
    }
    double scaled = rint(magnitude * 1e6);
    if (scaled / 1e6 != magnitude) {
        return 0;
    }
    size_t count = nq_int64_print((int64_t)scaled, digits);
    *out_exponent = (int)count - 1 - 6;
    return count;
}

/* The digits and exponent of `magnitude` to `precision` digits, whatever the locale's point is. */
static size_t gather_digits(double magnitude, int precision, char *digits, int *out_exponent) {
    char text[64];
    (void)snprintf(text, sizeof text, "%.*e", precision - 1, magnitude);
    char *exponent = strrchr(text, 'e');
    *out_exponent = (int)strtol(exponent + 1, NULL, 10);
    size_t count = 0;
    for (const char *at = text; at < exponent; at++) {
        if (is_digit((uint8_t)*at)) {
            digits[count++] = *at;
        }
    }
    return count;
}

static bool reads_back(const char *digits, size_t count, int exponent, double magnitude,
                       bool is_float32) {
    decimal number = {.digit_count = (uint32_t)count, .exponent = exponent - (int)count + 1};
    memcpy(number.digits, digits, count);
    double value = decimal_to_double(&number);
    return is_float32 ? (float)value == (float)magnitude : value == magnitude;
}

static size_t print_float(double value, bool is_float32, char *out_text) {
    if (value != value) {
        memcpy(out_text, "NaN", 3);
        return 3;
    }
    size_t size = 0;
    if (signbit(value)) {
        out_text[size++] = '-';
    }
    double magnitude = fabs(value);
    if (isinf(magnitude)) {
        memcpy(out_text + size, "Infinity", 8);
        return size + 8;
    }
    if (magnitude == 0) {
        out_text[size] = '0';
        return size + 1;
    }
    char digits[24];
    int exponent = 0;
    size_t count = is_float32 ? 0 : gather_few_decimals(magnitude, digits, &exponent);
    if (count == 0) {
        /* Every number of this many digits survives; subnormals may need fewer. */
        int precision_min = is_float32 ? 6 : EXACT_DIGITS_MAX;
        int precision_max = is_float32 ? 9 : 17;
        if (magnitude < (is_float32 ? 1.17549435e-38 : 2.2250738585072014e-308)) {
            precision_min = 1;
        }
        for (int precision = precision_min; precision <= precision_max; precision++) {
            count = gather_digits(magnitude, precision, digits, &exponent);
            if (precision == precision_max ||
                reads_back(digits, count, exponent, magnitude, is_float32)) {
                break;
            }
        }
    }
    while (count > 1 && digits[count - 1] == '0') {
        count--;
    }
    return size + layout_digits(digits, count, exponent, is_float32 ? 6 : 15, out_text + size);
}

size_t nq_float64_print(double value, char *out_text) {
    return print_float(value, false, out_text);
}

size_t nq_float32_print(double value, char *out_text) {
    return print_float(value, true, out_text);
}
