/* Space: the bitmap of free ids. The search goes on where it last succeeded, so consecutive takes
 * give neighbouring ids. */
#include "engine/storage/pager/space.h"

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/pager/map.h"

static uint32_t words_for(uint32_t page_count) {
    return (page_count + 63) / 64;
}

static nq_status reserve_words(nq_ctx *ctx, nq_space *space, uint32_t word_count) {
    if (word_count <= space->word_count) {
        return NQ_OK;
    }
    uint32_t grown = space->word_count + space->word_count / 2 + 64;
    grown = grown < word_count ? word_count : grown;
    uint64_t *words = nq_heap_realloc(space->words, (size_t)grown * sizeof *words);
    if (words == NULL) {
        return nq_fail_no_memory(ctx, "the map of free pages");
    }
    memset(words + space->word_count, 0, (size_t)(grown - space->word_count) * sizeof *words);
    space->words = words;
    space->word_count = grown;
    return NQ_OK;
}

nq_status nq_space_init(nq_ctx *ctx, nq_space *space, uint32_t page_count) {
    memset(space, 0, sizeof *space);
    space->page_count = page_count;
    return reserve_words(ctx, space, words_for(page_count));
}

void nq_space_deinit(nq_space *space) {
    nq_heap_free(space->words);
    memset(space, 0, sizeof *space);
}

nq_status nq_space_copy(nq_ctx *ctx, const nq_space *space, nq_space *out_copy) {
    NQ_TRY(nq_space_init(ctx, out_copy, space->page_count));
    memcpy(out_copy->words, space->words, (size_t)words_for(space->page_count) * sizeof(uint64_t));
    out_copy->free_count = space->free_count;
    return NQ_OK;
}

nq_status nq_space_take(nq_ctx *ctx, nq_space *space, nq_page_id *out_page) {
    *out_page = (nq_page_id){0};
    if (space->free_count == 0) {
        if (space->page_count >= NQ_MAP_PAGES_MAX) {
            return nq_fail(ctx, NQ_DISK_FULL, "the data file has reached its limit of %u pages",
                           space->page_count);
        }
        NQ_TRY(reserve_words(ctx, space, words_for(space->page_count + 1)));
        out_page->value = space->page_count++;
        return NQ_OK;
    }
    uint32_t word_count = words_for(space->page_count);
    uint32_t word = space->next_word < word_count ? space->next_word : 0;
    while (space->words[word] == 0) {
        word = word + 1 == word_count ? 0 : word + 1;
    }
    uint32_t bit = (uint32_t)__builtin_ctzll(space->words[word]);
    space->words[word] &= space->words[word] - 1;
    space->next_word = word;
    space->free_count--;
    out_page->value = word * 64 + bit;
    return NQ_OK;
}

bool nq_space_is_free(const nq_space *space, nq_page_id page) {
    NQ_ASSERT(page.value < space->page_count);
    return (space->words[page.value / 64] >> (page.value % 64) & 1) != 0;
}

void nq_space_give(nq_space *space, nq_page_id page) {
    NQ_ASSERT(!nq_space_is_free(space, page));
    space->words[page.value / 64] |= (uint64_t)1 << (page.value % 64);
    space->free_count++;
}
