/* Config internals: what the sources share. */
#ifndef NQ_SERVER_CONFIG_INTERNAL_H
#define NQ_SERVER_CONFIG_INTERNAL_H

#include "server/config/config.h"

/* Numbers with units: "64MiB" as bytes, "1.5s" is not a number of ours, "1500ms" as microseconds.
 * NULL, or what is wrong. */
const char *nq__config_parse_number(nq_setting_kind kind, nq_bytes text, uint64_t *out_value);

/* Fails naming the key and, if there is one, its nearest neighbour. `spell` turns a setting into
 * the name it has in this source (a flag, a variable); NULL: the key itself. */
nq_status nq__config_unknown(nq_ctx *ctx, const char *where, nq_bytes name, nq_bytes key,
                             void (*spell)(const nq_setting *setting, char text[64]));

/* One file's settings onto `config`. */
nq_status nq__config_read_yaml(nq_ctx *ctx, nq_arena *arena, nq_config *config, const char *path,
                               nq_bytes text);

#endif
