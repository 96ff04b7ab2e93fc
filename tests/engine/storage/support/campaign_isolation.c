/* Campaign: isolation. Runs every schedule of tests/engine/storage/schedules at every level. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/ground/os/sim_vfs.h"
#include "tests/engine/storage/support/campaign.h"
#include "tests/engine/storage/support/schedule.h"
#include "tests/engine/storage/support/workload.h"

static const char *const texts[] = {
    "reads", "writes", "serializable", "deadlocks", "savepoints", "trees", "large",
};

/* The whole file, to be freed; NULL: it is not there. */
static char *read_text(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "tests/engine/storage/schedules/%s.txt", name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return NULL;
    }
    enum { TEXT_BYTES_MAX = 1 << 16 };
    char *text = calloc(1, TEXT_BYTES_MAX + 1);
    size_t size = text == NULL ? 0 : fread(text, 1, TEXT_BYTES_MAX, file);
    fclose(file);
    if (size == 0) {
        free(text);
        return NULL;
    }
    return text;
}

const char *campaign_isolation(void) {
    static nq_ctx ctx; /* its message outlives the call */
    nq_ctx_init(&ctx, NULL);
    nq_sim_options sim = {.seed = 1};
    nq_store_options options = workload_store_options();
    nq_store *store;
    nq_sim_vfs *disk;
    if (nq_sim_vfs_create(&ctx, &sim, &disk) != NQ_OK ||
        nq_store_open(&ctx, nq_sim_vfs_as_vfs(disk), "db", &options, &store) != NQ_OK) {
        return "no store";
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *text = read_text(texts[i]);
        const char *failure =
            text == NULL ? "a text of schedules is missing" : schedules_run(store, text);
        free(text);
        if (failure != NULL) {
            return failure; /* with transactions left open; the caller is about to end */
        }
    }
    const char *failure = nq_store_verify(&ctx, store) == NQ_OK ? NULL : ctx.error.message;
    if (nq_store_close(&ctx, store) != NQ_OK && failure == NULL) {
        failure = "close failed";
    }
    nq_sim_vfs_destroy(disk);
    return failure;
}
