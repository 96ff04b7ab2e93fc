/* Restore. */
#include "engine/api/restore.h"

#include "engine/data/value/datetime.h"
#include "engine/storage/backup/restore.h"

nq_status nq_database_restore(nq_ctx *ctx, nq_vfs *vfs, const char *directory,
                              const nq_database_restore_options *options,
                              nq_database_restore_result *out_result) {
    const nq_restore_options chosen = {.base = options->base,
                                       .archive = options->archive,
                                       .log = options->log,
                                       .target = directory,
                                       .until = {options->until_lsn},
                                       .until_us = options->until_us,
                                       .cache_bytes = options->cache_bytes};
    nq_restore_result result;
    nq_status status = nq_restore_run(ctx, vfs, &chosen, &result);
    *out_result = (nq_database_restore_result){.commits = result.commits,
                                               .lsn = result.lsn.value,
                                               .time_us = result.time_us,
                                               .archived_segments = result.archived,
                                               .other_segments = result.others,
                                               .is_cut = result.is_cut};
    return status;
}

static bool is_number(const char *text, uint64_t *out_value) {
    *out_value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        if (*out_value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        *out_value = *out_value * 10 + digit;
    }
    return *text == '\0';
}

nq_status nq_restore_until_parse(nq_ctx *ctx, const char *text,
                                 nq_database_restore_options *options) {
    options->until_lsn = 0;
    options->until_us = INT64_MAX;
    if (text[0] == '\0' || is_number(text, &options->until_lsn)) {
        return NQ_OK;
    }
    options->until_lsn = 0;
    if (nq_timestamp_parse(nq_bytes_of_cstr(text), &options->until_us) == NQ_DATETIME_OK) {
        return NQ_OK;
    }
    nq_status status =
        nq_fail(ctx, NQ_INVALID_ARGUMENT, "\"%s\" is neither a position nor a time", text);
    nq_error_set_hint(&ctx->error, "For example 1234567, or 2026-01-31T12:00:00Z.");
    return status;
}
