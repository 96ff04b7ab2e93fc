/* Upgrade. */
#include "engine/api/upgrade.h"

#include "engine/storage/upgrade/upgrade.h"

nq_status nq_database_upgrade(nq_ctx *ctx, nq_vfs *vfs, const char *directory, uint64_t cache_bytes,
                              nq_database_upgrade_result *out_result) {
    const nq_upgrade_options options = {.cache_bytes = cache_bytes};
    nq_upgrade_result result;
    nq_status status = nq_upgrade_run(ctx, vfs, directory, &options, &result);
    *out_result = (nq_database_upgrade_result){
        .was_needed = result.was_needed, .entries = result.entries, .commits = result.commits};
    return status;
}
