/* Config: the table, and setting one value. */
#include "server/config/config_internal.h"

#include <stddef.h>

const nq_setting nq_settings[NQ_SETTING_TOTAL] = {
#define NQ_SETTING(field, kind, key, default_text, minimum, maximum, restart, help) \
    {key,     NQ_SETTING_##kind, default_text, minimum,                             \
     maximum, restart,           help,         offsetof(nq_config, field)},
#include "server/config/config.def"
#undef NQ_SETTING
};

const nq_setting *nq_setting_find(nq_bytes key) {
    for (size_t i = 0; i < NQ_SETTING_TOTAL; i++) {
        if (nq_bytes_equal(key, nq_bytes_of_cstr(nq_settings[i].key))) {
            return &nq_settings[i];
        }
    }
    return NULL;
}

enum { NEAR_KEY_BYTES_MAX = 63 };

/* Levenshtein's distance, one row at a time. */
static uint32_t edit_distance(nq_bytes left, nq_bytes right) {
    uint32_t row[NEAR_KEY_BYTES_MAX + 1];
    for (uint32_t j = 0; j <= right.size; j++) {
        row[j] = j;
    }
    for (uint32_t i = 1; i <= left.size; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= right.size; j++) {
            uint32_t replace = diagonal + (left.data[i - 1] != right.data[j - 1]);
            uint32_t insert = row[j - 1] + 1, remove = row[j] + 1;
            diagonal = row[j];
            row[j] = replace < insert ? replace : insert;
            row[j] = row[j] < remove ? row[j] : remove;
        }
    }
    return row[right.size];
}

const char *nq_setting_find_nearest(nq_bytes key) {
    const char *nearest = NULL;
    uint32_t distance_min = UINT32_MAX;
    if (key.size > NEAR_KEY_BYTES_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < NQ_SETTING_TOTAL; i++) {
        uint32_t distance = edit_distance(key, nq_bytes_of_cstr(nq_settings[i].key));
        if (distance < distance_min) {
            distance_min = distance;
            nearest = nq_settings[i].key;
        }
    }
    /* A third of the letters wrong is another word, not a slip. */
    return distance_min <= 1 + key.size / 3 ? nearest : NULL;
}

nq_status nq__config_unknown(nq_ctx *ctx, const char *where, nq_bytes name, nq_bytes key,
                             void (*spell)(const nq_setting *setting, char text[64])) {
    nq_status status = nq_fail(ctx, NQ_INVALID_ARGUMENT, "%s%.*s: there is no such setting", where,
                               NQ_BYTES_FORMAT(name));
    const char *nearest = nq_setting_find_nearest(key);
    if (nearest != NULL) {
        char spelled[64];
        const nq_setting *setting = nq_setting_find(nq_bytes_of_cstr(nearest));
        if (spell != NULL) {
            spell(setting, spelled);
            nearest = spelled;
        }
        nq_error_set_hint(&ctx->error, "Did you mean %s?", nearest);
    }
    return status;
}

static void *member_of(nq_config *config, const nq_setting *setting) {
    return (uint8_t *)config + setting->offset;
}

static nq_status set_number(nq_ctx *ctx, nq_config *config, const nq_setting *setting,
                            nq_bytes text, const char *where) {
    uint64_t value = 0, minimum = 0, maximum = UINT64_MAX;
    const char *wrong = nq__config_parse_number(setting->kind, text, &value);
    if (wrong != NULL) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "%s%s: \"%.*s\" %s", where, setting->key,
                       NQ_BYTES_FORMAT(text), wrong);
    }
    (void)nq__config_parse_number(setting->kind, nq_bytes_of_cstr(setting->minimum), &minimum);
    (void)nq__config_parse_number(setting->kind, nq_bytes_of_cstr(setting->maximum), &maximum);
    if (value < minimum || value > maximum) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "%s%s: %.*s is not between %s and %s", where,
                       setting->key, NQ_BYTES_FORMAT(text), setting->minimum, setting->maximum);
    }
    memcpy(member_of(config, setting), &value, sizeof value);
    return NQ_OK;
}

static nq_status set_choice(nq_ctx *ctx, nq_config *config, const nq_setting *setting,
                            const char *text, const char *where) {
    const char *choice = setting->maximum;
    while (*choice != '\0') {
        size_t choice_bytes = strcspn(choice, "|");
        if (strlen(text) == choice_bytes && memcmp(text, choice, choice_bytes) == 0) {
            memcpy(member_of(config, setting), &text, sizeof text);
            return NQ_OK;
        }
        choice += choice_bytes + (choice[choice_bytes] == '|');
    }
    return nq_fail(ctx, NQ_INVALID_ARGUMENT, "%s%s: \"%s\" is not one of %s", where, setting->key,
                   text, setting->maximum);
}

static nq_status set_bool(nq_ctx *ctx, nq_config *config, const nq_setting *setting, nq_bytes text,
                          const char *where) {
    bool value = nq_bytes_equal_fold(text, "true");
    if (!value && !nq_bytes_equal_fold(text, "false")) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "%s%s: \"%.*s\" is neither true nor false", where,
                       setting->key, NQ_BYTES_FORMAT(text));
    }
    memcpy(member_of(config, setting), &value, sizeof value);
    return NQ_OK;
}

bool nq_config_split_address(const char *address, char host[NQ_CONFIG_HOST_BYTES],
                             uint16_t *out_port) {
    const char *colon = strrchr(address, ':');
    uint64_t port = 0;
    if (colon == NULL ||
        nq__config_parse_number(NQ_SETTING_COUNT, nq_bytes_of_cstr(colon + 1), &port) != NULL ||
        port > UINT16_MAX) {
        return false;
    }
    nq_bytes name = nq_bytes_of(address, (size_t)(colon - address));
    bool is_bracketed = name.size >= 2 && name.data[0] == '[' && name.data[name.size - 1] == ']';
    if (is_bracketed) {
        name = nq_bytes_of(name.data + 1, name.size - 2);
    } else if (name.size > 0 && memchr(name.data, ':', name.size) != NULL) {
        /* An IPv6 address without brackets: where its port begins is a guess. */
        return false;
    } else if (name.size == 0) {
        name = NQ_BYTES_LITERAL("::");
    }
    if (name.size == 0 || name.size >= NQ_CONFIG_HOST_BYTES) {
        return false;
    }
    memcpy(host, name.data, name.size);
    host[name.size] = '\0';
    *out_port = (uint16_t)port;
    return true;
}

static nq_status check_address(nq_ctx *ctx, const nq_setting *setting, const char *text,
                               const char *where) {
    char host[NQ_CONFIG_HOST_BYTES];
    uint16_t port = 0;
    if (nq_config_split_address(text, host, &port)) {
        return NQ_OK;
    }
    nq_status status = nq_fail(ctx, NQ_INVALID_ARGUMENT, "%s%s: \"%s\" is not host:port", where,
                               setting->key, text);
    nq_error_set_hint(&ctx->error, "For example 127.0.0.1:50051, or [::1]:50051.");
    return status;
}

nq_status nq_config_set(nq_ctx *ctx, nq_arena *arena, nq_config *config, const nq_setting *setting,
                        nq_bytes text, nq_setting_source source, const char *where) {
    const char *copy = (const char *)nq_arena_copy(arena, text).data;
    if (copy == NULL) {
        return nq_fail_no_memory(ctx, "the configuration");
    }
    switch (setting->kind) {
    case NQ_SETTING_ADDRESS:
    case NQ_SETTING_TEXT:
        if (strlen(copy) != text.size || text.size >= NQ_SETTING_VALUE_BYTES) {
            return nq_fail(ctx, NQ_INVALID_ARGUMENT, "%s%s: the text is too long or holds a NUL",
                           where, setting->key);
        }
        if (setting->kind == NQ_SETTING_ADDRESS) {
            NQ_TRY(check_address(ctx, setting, copy, where));
        }
        memcpy(member_of(config, setting), &copy, sizeof copy);
        break;
    case NQ_SETTING_CHOICE:
        NQ_TRY(set_choice(ctx, config, setting, copy, where));
        break;
    case NQ_SETTING_BOOL:
        NQ_TRY(set_bool(ctx, config, setting, text, where));
        break;
    default:
        NQ_TRY(set_number(ctx, config, setting, text, where));
        break;
    }
    config->sources[setting - nq_settings] = (uint8_t)source;
    return NQ_OK;
}

nq_status nq_config_init(nq_ctx *ctx, nq_arena *arena, nq_config *out_config) {
    memset(out_config, 0, sizeof *out_config);
    for (size_t i = 0; i < NQ_SETTING_TOTAL; i++) {
        NQ_TRY(nq_config_set(ctx, arena, out_config, &nq_settings[i],
                             nq_bytes_of_cstr(nq_settings[i].default_text), NQ_SOURCE_DEFAULT,
                             "default of "));
    }
    return NQ_OK;
}
