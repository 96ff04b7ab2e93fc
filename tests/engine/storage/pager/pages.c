/* Pages: see the header. */
#include "tests/engine/storage/pager/pages.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/storage/page/node.h"

static void must(nq_ctx *ctx, nq_status status) {
    if (status != NQ_OK) {
        fprintf(stderr, "pages: %s\n", ctx->error.message);
        abort();
    }
}

nq_status pages_open(nq_ctx *ctx, nq_sim_vfs *disk, nq_pager **out_pager, nq_pager_root *out_root) {
    nq_pager_options options = {.vfs = nq_sim_vfs_as_vfs(disk), .path = "data"};
    return nq_pager_open(ctx, &options, out_pager, out_root);
}

static const uint64_t salt = 77;

nq_pager *pages_make_pager(nq_ctx *ctx, nq_sim_vfs *disk, uint32_t lane_blocks) {
    nq_pager_options options = {.vfs = nq_sim_vfs_as_vfs(disk), .path = "data"};
    nq_pager_root root = {
        .log_salt = salt, .page_count = NQ_PAGE_ID_FIRST, .log_segment_bytes = 4096};
    nq_pager *pager;
    must(ctx, nq_pager_create(ctx, &options, (nq_segment_layout){lane_blocks}, &root));
    must(ctx, nq_vfs_sync_dir(ctx, options.vfs, "."));
    must(ctx, pages_open(ctx, disk, &pager, &root));
    return pager;
}

nq_status pages_checkpoint_all(nq_ctx *ctx, nq_pager *pager, uint32_t page_count) {
    nq_pager_root root = {.log_salt = salt, .page_count = page_count, .log_segment_bytes = 4096};
    nq_space not_reached;
    must(ctx, nq_space_init(ctx, &not_reached, page_count));
    nq_pager_list_free(pager, &not_reached);
    nq_pager_checkpoint_result result;
    nq_status status = nq_pager_checkpoint(ctx, pager, &root, &not_reached, &result);
    nq_space_deinit(&not_reached);
    return status;
}

void pages_init(pages *p, uint64_t seed, uint32_t lane_blocks) {
    pages_init_on(p, &(nq_sim_options){.seed = seed}, lane_blocks);
}

void pages_init_on(pages *p, const nq_sim_options *sim, uint32_t lane_blocks) {
    memset(p, 0, sizeof *p);
    nq_ctx_init(&p->ctx, NULL);
    p->rng.state = sim->seed;
    must(&p->ctx, nq_sim_vfs_create(&p->ctx, sim, &p->disk));
    p->pager = pages_make_pager(&p->ctx, p->disk, lane_blocks);
    p->root = (nq_pager_root){.log_salt = salt, .log_segment_bytes = 4096};
    must(&p->ctx, nq_space_init(&p->ctx, &p->space, NQ_PAGE_ID_FIRST));
}

void pages_deinit(pages *p) {
    nq_pager_close(p->pager);
    nq_space_deinit(&p->space);
    nq_sim_vfs_destroy(p->disk);
}

void pages_make(uint32_t id, uint64_t generation, nq_page *out_page) {
    enum { ENTRIES_MAX = 35, VALUE_WORDS = 25 };
    nq_rng rng = {generation * 1000003 + id};
    uint64_t value[VALUE_WORDS];
    nq_page_init(out_page, (nq_page_id){id}, generation, NQ_PAGE_LEAF);
    bool is_dense = (generation & PAGES_DENSE) != 0;
    uint64_t entries = is_dense ? ENTRIES_MAX : nq_rng_below(&rng, ENTRIES_MAX + 1);
    bool is_noise = is_dense || nq_rng_below(&rng, 3) == 0;
    for (uint32_t i = 0; i < entries; i++) {
        uint32_t key = __builtin_bswap32(i);
        for (size_t w = 0; w < VALUE_WORDS; w++) {
            value[w] = is_noise ? nq_rng_next(&rng) : generation + i;
        }
        if (!nq_node_insert(out_page, (uint16_t)i, nq_bytes_of(&key, sizeof key),
                            nq_bytes_of(value, sizeof value), false)) {
            abort();
        }
    }
}

nq_status pages_write(pages *p, uint32_t *out_id) {
    nq_page page;
    nq_page_id id;
    must(&p->ctx, nq_space_take(&p->ctx, &p->space, &id));
    if (id.value >= PAGES_MAX) {
        abort();
    }
    pages_make(id.value, p->generation + 1, &page);
    *out_id = id.value;
    nq_status status = nq_pager_write(&p->ctx, p->pager, &page, NULL);
    if (status != NQ_OK) {
        nq_space_give(&p->space, id);
        return status;
    }
    p->now.generation[id.value] = ++p->generation;
    return NQ_OK;
}

uint32_t pages_pick(pages *p) {
    uint32_t start = (uint32_t)nq_rng_below(&p->rng, PAGES_MAX);
    for (uint32_t i = 0; i < PAGES_MAX; i++) {
        uint32_t id = (start + i) % PAGES_MAX;
        if (p->now.generation[id] != 0) {
            return id;
        }
    }
    return 0;
}

static void give_back(pages *p, uint32_t id) {
    nq_pager_forget(p->pager, (nq_page_id){id});
    nq_space_give(&p->space, (nq_page_id){id});
}

void pages_retire(pages *p, uint32_t id) {
    bool is_durable = p->durable.generation[id] == p->now.generation[id];
    p->now.generation[id] = 0;
    if (is_durable) {
        p->is_retired[id] = true;
    } else {
        give_back(p, id);
    }
}

nq_status pages_checkpoint(pages *p) {
    nq_space not_reached;
    must(&p->ctx, nq_space_copy(&p->ctx, &p->space, &not_reached));
    for (uint32_t id = 0; id < PAGES_MAX; id++) {
        if (p->is_retired[id]) {
            nq_space_give(&not_reached, (nq_page_id){id});
        }
    }
    nq_pager_root root = p->root;
    root.generation = p->generation;
    root.page_count = p->space.page_count;
    nq_pager_checkpoint_result result;
    if (nq_pager_health(p->pager) == NQ_OK) {
        p->attempted = p->now;
    }
    nq_status status = nq_pager_checkpoint(&p->ctx, p->pager, &root, &not_reached, &result);
    nq_space_deinit(&not_reached);
    if (status != NQ_OK) {
        return status;
    }
    p->root = root;
    p->durable = p->now;
    for (uint32_t id = 0; id < PAGES_MAX; id++) {
        if (p->is_retired[id]) {
            p->is_retired[id] = false;
            give_back(p, id);
        }
    }
    nq_pager_trim(p->pager);
    return NQ_OK;
}

nq_status pages_step(pages *p) {
    uint64_t dice = nq_rng_below(&p->rng, 100);
    uint32_t id;
    if (dice < 55) {
        return pages_write(p, &id);
    }
    uint32_t old = pages_pick(p);
    if (dice < 96) {
        if (old != 0) {
            pages_retire(p, old);
        }
        return dice < 75 ? pages_write(p, &id) : NQ_OK;
    }
    return pages_checkpoint(p);
}

const char *pages_compare(nq_pager *pager, const pages_state *state, const bool *is_retired) {
    static char words[600];
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    for (uint32_t id = 1; id < PAGES_MAX; id++) {
        nq_page expected;
        nq_page found;
        uint64_t generation = state->generation[id];
        bool has_page = nq_pager_has(pager, (nq_page_id){id});
        bool is_either = is_retired != NULL && is_retired[id];
        if (!is_either && (generation != 0) != has_page) {
            snprintf(words, sizeof words, "page %u is %s", id,
                     generation != 0 ? "missing" : "there though it was given back");
            return words;
        }
        if (generation == 0) {
            continue;
        }
        pages_make(id, generation, &expected);
        nq_page_ref ref = {id, (uint32_t)generation};
        if (nq_pager_read(&ctx, pager, ref, &found) != NQ_OK) {
            snprintf(words, sizeof words, "%s", ctx.error.message);
            return words;
        }
        nq_page ours;
        nq_page theirs;
        nq_image_prepare(&expected, &ours);
        nq_image_prepare(&found, &theirs);
        if (memcmp(&ours, &theirs, sizeof ours) != 0) {
            snprintf(words, sizeof words, "page %u has another content", id);
            return words;
        }
    }
    if (nq_pager_verify(&ctx, pager) != NQ_OK) {
        snprintf(words, sizeof words, "%s", ctx.error.message);
        return words;
    }
    return NULL;
}

void pages_reopen(pages *p) {
    nq_pager_close(p->pager);
    nq_space_deinit(&p->space);
    must(&p->ctx, pages_open(&p->ctx, p->disk, &p->pager, &p->root));
    must(&p->ctx, nq_space_init(&p->ctx, &p->space, p->root.page_count));
    memset(p->is_retired, 0, sizeof p->is_retired);
    p->now = p->durable;
    for (uint32_t id = 1; id < p->root.page_count; id++) {
        if (p->now.generation[id] == 0) {
            nq_space_give(&p->space, (nq_page_id){id});
        }
    }
}
