/* Trie: which subscribers a channel's name concerns, among any number of patterns.
 *
 * Tokens are edges; `*` and `**` are edges of their own. Matching walks the set of nodes that the
 * name so far can have reached, each at most once per token, so its cost is bounded by the nodes it
 * meets and never exponential. Not thread-safe: the hub's lock covers it. */
#ifndef NQ_LIVE_PUBSUB_TRIE_H
#define NQ_LIVE_PUBSUB_TRIE_H

#include "engine/live/pubsub/pattern.h"

typedef struct nq_trie nq_trie;

nq_status nq_trie_create(nq_ctx *ctx, nq_trie **out_trie);
void nq_trie_destroy(nq_trie *trie);

/* Adds `subject` under the pattern. Once per pattern and subject: *out_is_new false when it was
 * there. */
nq_status nq_trie_insert(nq_ctx *ctx, nq_trie *trie, const nq_pattern *pattern, void *subject,
                         bool *out_is_new);

/* False when it was not there. */
bool nq_trie_remove(nq_trie *trie, const nq_pattern *pattern, void *subject);

/* Calls `visit` for each subject of each pattern that covers the name; a subject of several such
 * patterns comes several times. */
void nq_trie_match(nq_trie *trie, const nq_pattern *name, void (*visit)(void *user, void *subject),
                   void *user);

uint64_t nq_trie_pattern_count(const nq_trie *trie);

#endif
