/* Numbers with units, read and printed. */
#include <inttypes.h>

#include "server/config/config_internal.h"

typedef struct unit {
    const char *name;
    uint64_t factor;
} unit;

/* Largest first: printing takes the first that divides the value. */
static const unit byte_units[] = {
    {"TiB", UINT64_C(1) << 40},
    {"GiB", UINT64_C(1) << 30},
    {"MiB", UINT64_C(1) << 20},
    {"KiB", UINT64_C(1) << 10},
    {"B", 1},
    {NULL, 0},
};
static const unit time_units[] = {
    {"d", UINT64_C(86400000000)},
    {"h", UINT64_C(3600000000)},
    {"min", UINT64_C(60000000)},
    {"s", UINT64_C(1000000)},
    {"ms", UINT64_C(1000)},
    {"us", 1},
    {NULL, 0},
};
static const unit no_units[] = {{NULL, 0}};

static const unit *units_of(nq_setting_kind kind) {
    switch (kind) {
    case NQ_SETTING_BYTES:
        return byte_units;
    case NQ_SETTING_DURATION:
        return time_units;
    default:
        return no_units;
    }
}

const char *nq__config_parse_number(nq_setting_kind kind, nq_bytes text, uint64_t *out_value) {
    uint64_t value = 0;
    size_t digits = 0;
    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9') {
        if (__builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.data[digits] - '0'), &value)) {
            return "is too large";
        }
        digits++;
    }
    if (digits == 0) {
        return "is not a number";
    }
    nq_bytes suffix = nq_bytes_of(text.data + digits, text.size - digits);
    if (suffix.size == 0) {
        /* A bare number of seconds or of milliseconds? Nobody remembers; only 0 is clear. */
        if (kind == NQ_SETTING_DURATION && value != 0) {
            return "needs a unit: us, ms, s, min, h or d";
        }
        *out_value = value;
        return NULL;
    }
    for (const unit *u = units_of(kind); u->name != NULL; u++) {
        if (nq_bytes_equal(suffix, nq_bytes_of_cstr(u->name))) {
            return __builtin_mul_overflow(value, u->factor, out_value) ? "is too large" : NULL;
        }
    }
    switch (kind) {
    case NQ_SETTING_BYTES:
        return "has an unknown unit: B, KiB, MiB, GiB and TiB are known";
    case NQ_SETTING_DURATION:
        return "has an unknown unit: us, ms, s, min, h and d are known";
    default:
        return "is not a plain number";
    }
}

void nq_setting_print(const nq_config *config, const nq_setting *setting,
                      char text[NQ_SETTING_VALUE_BYTES]) {
    const void *member = (const uint8_t *)config + setting->offset;
    const char *words = NULL;
    uint64_t value = 0;
    switch (setting->kind) {
    case NQ_SETTING_TEXT:
    case NQ_SETTING_ADDRESS:
    case NQ_SETTING_CHOICE:
        memcpy(&words, member, sizeof words);
        (void)snprintf(text, NQ_SETTING_VALUE_BYTES, "%s", words);
        return;
    case NQ_SETTING_BOOL:
        (void)snprintf(text, NQ_SETTING_VALUE_BYTES, "%s",
                       *(const bool *)member ? "true" : "false");
        return;
    default:
        memcpy(&value, member, sizeof value);
        break;
    }
    const unit *u = units_of(setting->kind);
    while (u->name != NULL && value != 0 && value % u->factor != 0) {
        u++;
    }
    if (u->name == NULL || value == 0) {
        (void)snprintf(text, NQ_SETTING_VALUE_BYTES, "%" PRIu64, value);
    } else {
        (void)snprintf(text, NQ_SETTING_VALUE_BYTES, "%" PRIu64 "%s", value / u->factor, u->name);
    }
}
