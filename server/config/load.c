/* Loading: the order of the sources, flags and environment variables. */
#include "server/config/config_internal.h"

#define VARIABLE_PREFIX "NEUROQUANTUM_"
#define CONFIG_VARIABLE "CONFIG"

enum { NAME_BYTES = 64 };

typedef struct command_flag {
    const char *flag;
    nq_config_command command;
} command_flag;

static const command_flag command_flags[] = {
    {"--help", NQ_COMMAND_HELP},
    {"-h", NQ_COMMAND_HELP},
    {"--version", NQ_COMMAND_VERSION},
    {"--check-config", NQ_COMMAND_CHECK},
    {"--upgrade", NQ_COMMAND_UPGRADE},
    {"--restore", NQ_COMMAND_RESTORE},
    {"--print-default-config", NQ_COMMAND_PRINT_DEFAULT},
    {"--print-config-reference", NQ_COMMAND_PRINT_REFERENCE},
};

static void spell(const char *key, const char *prefix, char dot, bool upper,
                  char text[NAME_BYTES]) {
    size_t used = strlen(prefix);
    memcpy(text, prefix, used);
    for (const char *at = key; *at != '\0' && used < NAME_BYTES - 1; at++) {
        char letter = *at == '.' || *at == '_' ? dot : *at;
        text[used++] =
            upper && letter >= 'a' && letter <= 'z' ? (char)(letter - 'a' + 'A') : letter;
    }
    text[used] = '\0';
}

void nq_setting_flag(const nq_setting *setting, char flag[64]) {
    spell(setting->key, "--", '-', false, flag);
}

void nq_setting_variable(const nq_setting *setting, char variable[64]) {
    spell(setting->key, VARIABLE_PREFIX, '_', true, variable);
}

/* The setting whose name, spelled for this source, is `name`. */
static const nq_setting *find_spelled(nq_bytes name,
                                      void (*spell_name)(const nq_setting *, char[64])) {
    for (size_t i = 0; i < NQ_SETTING_TOTAL; i++) {
        char text[NAME_BYTES];
        spell_name(&nq_settings[i], text);
        if (nq_bytes_equal(name, nq_bytes_of_cstr(text))) {
            return &nq_settings[i];
        }
    }
    return NULL;
}

/* A flag's or variable's name as a key, near enough to suggest from. */
static nq_bytes key_like(nq_bytes name, char key[NAME_BYTES]) {
    size_t size = name.size < NAME_BYTES ? name.size : NAME_BYTES - 1;
    bool has_dot = false;
    for (size_t i = 0; i < size; i++) {
        char letter = (char)name.data[i];
        if (letter == '-' || letter == '_') {
            letter = has_dot ? '_' : '.';
            has_dot = true;
        }
        key[i] = letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
    }
    return nq_bytes_of(key, size);
}

static bool ends_with(nq_bytes name, const char *end) {
    size_t end_bytes = strlen(end);
    return name.size >= end_bytes && memcmp(name.data + name.size - end_bytes, end, end_bytes) == 0;
}

/* Kubernetes gives every pod variables about a Service called "neuroquantum"; they are not for us.
 */
static bool is_service_link(nq_bytes rest) {
    static const char port[] = "PORT_";
    return ends_with(rest, "SERVICE_HOST") || nq_bytes_equal(rest, nq_bytes_of_cstr("PORT")) ||
           (rest.size >= 12 && memcmp(rest.data, "SERVICE_PORT", 12) == 0) ||
           (rest.size > sizeof port - 1 && memcmp(rest.data, port, sizeof port - 1) == 0 &&
            rest.data[sizeof port - 1] >= '0' && rest.data[sizeof port - 1] <= '9');
}

static nq_status read_variables(nq_ctx *ctx, nq_arena *arena, const char *const *environment,
                                nq_config *config, const char **out_config_path) {
    size_t prefix_bytes = sizeof VARIABLE_PREFIX - 1;
    for (; environment != NULL && *environment != NULL; environment++) {
        const char *equals = strchr(*environment, '=');
        if (equals == NULL || strncmp(*environment, VARIABLE_PREFIX, prefix_bytes) != 0) {
            continue;
        }
        nq_bytes name = nq_bytes_of(*environment, (size_t)(equals - *environment));
        nq_bytes rest = nq_bytes_of(name.data + prefix_bytes, name.size - prefix_bytes);
        if (nq_bytes_equal(rest, nq_bytes_of_cstr(CONFIG_VARIABLE))) {
            *out_config_path = equals + 1;
            continue;
        }
        const nq_setting *setting = find_spelled(name, nq_setting_variable);
        if (setting != NULL) {
            NQ_TRY(nq_config_set(ctx, arena, config, setting, nq_bytes_of_cstr(equals + 1),
                                 NQ_SOURCE_ENVIRONMENT, "environment: "));
        } else if (!is_service_link(rest)) {
            char key[NAME_BYTES];
            return nq__config_unknown(ctx, "environment: ", name, key_like(rest, key),
                                      nq_setting_variable);
        }
    }
    return NQ_OK;
}

/* One flag; moves `arguments` past its value when that is an argument of its own. */
static nq_status read_flag(nq_ctx *ctx, nq_arena *arena, const char *const **arguments,
                           nq_config *config) {
    const char *argument = **arguments;
    const char *equals = strchr(argument, '=');
    nq_bytes name = equals == NULL ? nq_bytes_of_cstr(argument)
                                   : nq_bytes_of(argument, (size_t)(equals - argument));
    if (name.size < 3 || memcmp(name.data, "--", 2) != 0) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "\"%s\" is not a flag; see --help", argument);
    }
    const nq_setting *setting = find_spelled(name, nq_setting_flag);
    if (setting == NULL && !nq_bytes_equal(name, NQ_BYTES_LITERAL("--config"))) {
        char key[NAME_BYTES];
        return nq__config_unknown(ctx, "", name,
                                  key_like(nq_bytes_of(name.data + 2, name.size - 2), key),
                                  nq_setting_flag);
    }
    const char *next = (*arguments)[1];
    nq_bytes value = {0};
    if (equals != NULL) {
        value = nq_bytes_of_cstr(equals + 1);
    } else if (setting != NULL && setting->kind == NQ_SETTING_BOOL &&
               (next == NULL || next[0] == '-')) {
        value = NQ_BYTES_LITERAL("true");
    } else if (next != NULL) {
        value = nq_bytes_of_cstr(next);
        (*arguments)++;
    } else {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "%s needs a value", argument);
    }
    /* --config was followed before the file was read. */
    return setting == NULL
               ? NQ_OK
               : nq_config_set(ctx, arena, config, setting, value, NQ_SOURCE_FLAG, "--");
}

/* Commands and --config come first in effect wherever they stand. */
static void find_command(const char *const *arguments, nq_config_command *out_command,
                         const char **out_config_path) {
    for (; *arguments != NULL; arguments++) {
        for (size_t i = 0; i < sizeof command_flags / sizeof command_flags[0]; i++) {
            if (strcmp(*arguments, command_flags[i].flag) == 0) {
                *out_command = command_flags[i].command;
            }
        }
        if (strncmp(*arguments, "--config=", 9) == 0) {
            *out_config_path = *arguments + 9;
        } else if (strcmp(*arguments, "--config") == 0 && arguments[1] != NULL) {
            *out_config_path = arguments[1];
        }
    }
}

static bool is_command(const char *argument) {
    for (size_t i = 0; i < sizeof command_flags / sizeof command_flags[0]; i++) {
        if (strcmp(argument, command_flags[i].flag) == 0) {
            return true;
        }
    }
    return false;
}

static bool needs_settings(nq_config_command command) {
    return command == NQ_COMMAND_RUN || command == NQ_COMMAND_CHECK ||
           command == NQ_COMMAND_UPGRADE || command == NQ_COMMAND_RESTORE;
}

nq_status nq_config_load(nq_ctx *ctx, nq_arena *arena, const nq_config_sources *sources,
                         nq_config *out_config, nq_config_command *out_command) {
    const char *variable_path = NULL, *flag_path = NULL;
    nq_config from_environment;
    *out_command = NQ_COMMAND_RUN;
    NQ_TRY(nq_config_init(ctx, arena, out_config));
    find_command(sources->arguments, out_command, &flag_path);
    if (!needs_settings(*out_command)) {
        return NQ_OK;
    }
    /* The environment may name the file, yet its settings override the file's: read it twice. */
    from_environment = *out_config;
    NQ_TRY(read_variables(ctx, arena, sources->environment, &from_environment, &variable_path));
    const char *path = flag_path != NULL ? flag_path : variable_path;
    if (path != NULL && path[0] != '\0') {
        nq_bytes text = {0};
        NQ_TRY(sources->read_file(ctx, arena, path, &text));
        NQ_TRY(nq__config_read_yaml(ctx, arena, out_config, path, text));
    }
    NQ_TRY(read_variables(ctx, arena, sources->environment, out_config, &variable_path));
    for (const char *const *argument = sources->arguments; *argument != NULL; argument++) {
        if (!is_command(*argument)) {
            NQ_TRY(read_flag(ctx, arena, &argument, out_config));
        }
    }
    return NQ_OK;
}
