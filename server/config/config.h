/* Config: every setting of the server, from one table (config.def).
 *
 * Four sources, each overriding the next: flag, environment, file, default. Everything is checked
 * when it is read; an unknown name is an error that suggests the nearest one, because a setting
 * that is silently ignored is found out at night. */
#ifndef NQ_SERVER_CONFIG_CONFIG_H
#define NQ_SERVER_CONFIG_CONFIG_H

#include <stdio.h>

#include "engine/ground/base/ctx.h"

typedef enum nq_setting_kind {
    NQ_SETTING_TEXT,
    NQ_SETTING_ADDRESS, /* host:port */
    NQ_SETTING_CHOICE,
    NQ_SETTING_BOOL,
    NQ_SETTING_COUNT,
    NQ_SETTING_BYTES,
    NQ_SETTING_DURATION, /* microseconds */
} nq_setting_kind;

typedef enum nq_setting_source {
    NQ_SOURCE_DEFAULT,
    NQ_SOURCE_FILE,
    NQ_SOURCE_ENVIRONMENT,
    NQ_SOURCE_FLAG,
} nq_setting_source;

/* One line of the table. */
typedef struct nq_setting {
    const char *key;
    nq_setting_kind kind;
    const char *default_text;
    const char *minimum; /* "" : none */
    const char *maximum; /* CHOICE: the choices, separated by | */
    bool restart_required;
    const char *help;
    size_t offset; /* of its member in nq_config */
} nq_setting;

enum {
#define NQ_SETTING(field, kind, key, default_text, minimum, maximum, restart, help) \
    NQ_SETTING_INDEX_##field,
#include "server/config/config.def"
#undef NQ_SETTING
    NQ_SETTING_TOTAL
};

extern const nq_setting nq_settings[NQ_SETTING_TOTAL];

#define NQ_MEMBER_TEXT     const char *
#define NQ_MEMBER_ADDRESS  const char *
#define NQ_MEMBER_CHOICE   const char *
#define NQ_MEMBER_BOOL     bool
#define NQ_MEMBER_COUNT    uint64_t
#define NQ_MEMBER_BYTES    uint64_t
#define NQ_MEMBER_DURATION uint64_t

/* The values in force. Texts live in the arena the config was loaded with. */
typedef struct nq_config {
#define NQ_SETTING(field, kind, key, default_text, minimum, maximum, restart, help) \
    NQ_MEMBER_##kind field;
#include "server/config/config.def"
#undef NQ_SETTING
    uint8_t sources[NQ_SETTING_TOTAL]; /* nq_setting_source of each */
} nq_config;

/* What the command line asks for besides settings. */
typedef enum nq_config_command {
    NQ_COMMAND_RUN,
    NQ_COMMAND_HELP,            /* --help */
    NQ_COMMAND_VERSION,         /* --version */
    NQ_COMMAND_CHECK,           /* --check-config */
    NQ_COMMAND_UPGRADE,         /* --upgrade */
    NQ_COMMAND_RESTORE,         /* --restore */
    NQ_COMMAND_PRINT_DEFAULT,   /* --print-default-config */
    NQ_COMMAND_PRINT_REFERENCE, /* --print-config-reference */
} nq_config_command;

typedef struct nq_config_sources {
    const char *const *arguments;   /* NULL-terminated, without the program's name */
    const char *const *environment; /* NULL-terminated "NAME=value"; NULL: none */
    /* Reads the file named by --config or NEUROQUANTUM_CONFIG into `arena`. */
    nq_status (*read_file)(nq_ctx *ctx, nq_arena *arena, const char *path, nq_bytes *out_text);
} nq_config_sources;

/* Fails with NQ_INVALID_ARGUMENT, saying where (flag, variable, or file and line) and what was
 * meant. A command that needs no settings ends the reading: settings are then the
 * defaults. */
nq_status nq_config_load(nq_ctx *ctx, nq_arena *arena, const nq_config_sources *sources,
                         nq_config *out_config, nq_config_command *out_command);

/* The defaults alone. */
nq_status nq_config_init(nq_ctx *ctx, nq_arena *arena, nq_config *out_config);

/* Sets one value from its text. `where` begins the error. */
nq_status nq_config_set(nq_ctx *ctx, nq_arena *arena, nq_config *config, const nq_setting *setting,
                        nq_bytes text, nq_setting_source source, const char *where);

enum { NQ_CONFIG_HOST_BYTES = 256 };

/* "127.0.0.1:50051", "[::1]:50051", ":50051" (every address) as host, without brackets, and port.
 * false: it is none of these. */
bool nq_config_split_address(const char *address, char host[NQ_CONFIG_HOST_BYTES],
                             uint16_t *out_port);

/* A TEXT setting that is not set, which is empty, as NULL. */
static inline const char *nq_config_text_or_null(const char *text) {
    return text[0] == '\0' ? NULL : text;
}

/* The setting of this key, or NULL. */
const nq_setting *nq_setting_find(nq_bytes key);
/* The key that looks most like `key`, or NULL when none is near. */
const char *nq_setting_find_nearest(nq_bytes key);

enum { NQ_SETTING_VALUE_BYTES = 512 };

/* The value as its text, in the largest unit that is exact. */
void nq_setting_print(const nq_config *config, const nq_setting *setting,
                      char text[NQ_SETTING_VALUE_BYTES]);

/* "--storage-cache" and "NEUROQUANTUM_STORAGE_CACHE" from "storage.cache". */
void nq_setting_flag(const nq_setting *setting, char flag[64]);
void nq_setting_variable(const nq_setting *setting, char variable[64]);

/* Everything people read, made from the table: YAML with each default, the --help text, and
 * docs/reference/config.md. */
void nq_config_print_defaults(FILE *file);
void nq_config_print_help(FILE *file);
void nq_config_print_reference(FILE *file);
/* The values in force and where each came from. */
void nq_config_print_effective(const nq_config *config, FILE *file);

#endif
