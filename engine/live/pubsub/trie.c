/* Trie: nodes in one array, edges in one hash table keyed by (parent, token).
 *
 * I1  A node without subjects and without edges below it is free, up to the root; its memory is
 * reused. I2  `seen` of a node equals the walk's number exactly when the walk has put it in the
 * current frontier. */
#include "engine/live/pubsub/trie.h"

#include "engine/ground/base/heap.h"

enum { ROOT = 0, NO_NODE = -1 };

typedef struct trie_node {
    int32_t parent;      /* next free node, while free */
    int32_t one;         /* the node below `*` */
    int32_t deep;        /* the node below `**` */
    uint32_t word_count; /* edges in the table */
    uint8_t token_size;
    uint8_t token[NQ_CHANNEL_BYTES_MAX];
    nq_token_kind kind;
    uint64_t seen;
    void **subjects;
    uint32_t subject_count;
    uint32_t subject_capacity;
} trie_node;

struct nq_trie {
    trie_node **nodes;
    uint32_t node_count;
    uint32_t node_capacity;
    int32_t free_node;
    int32_t *edges;         /* open addressing: node index, NO_NODE empty, TOMB removed */
    uint32_t edge_capacity; /* power of two */
    uint32_t edge_used;     /* with removed ones */
    uint32_t edge_live;
    uint64_t walk;
    int32_t *frontier[2];
    uint32_t frontier_capacity;
    uint64_t pattern_count;
};

enum { TOMB = -2 };

static uint32_t hash_edge(int32_t parent, nq_bytes token) {
    uint64_t hash = 0x9E3779B97F4A7C15U * ((uint64_t)(uint32_t)parent + 1);
    for (size_t i = 0; i < token.size; i++) {
        hash = (hash ^ token.data[i]) * 0x100000001B3U;
    }
    return (uint32_t)(hash ^ (hash >> 32));
}

static int32_t find_word(const nq_trie *trie, int32_t parent, nq_bytes token) {
    if (trie->edge_capacity == 0 || trie->nodes[parent]->word_count == 0) {
        return NO_NODE;
    }
    uint32_t mask = trie->edge_capacity - 1;
    for (uint32_t at = hash_edge(parent, token) & mask;; at = (at + 1) & mask) {
        int32_t index = trie->edges[at];
        if (index == NO_NODE) {
            return NO_NODE;
        }
        if (index != TOMB && trie->nodes[index]->parent == parent &&
            nq_bytes_equal(nq_bytes_of(trie->nodes[index]->token, trie->nodes[index]->token_size),
                           token)) {
            return index;
        }
    }
}

static nq_bytes token_of(const trie_node *node) {
    return nq_bytes_of(node->token, node->token_size);
}

static void put_edge(nq_trie *trie, int32_t index) {
    uint32_t mask = trie->edge_capacity - 1;
    uint32_t at = hash_edge(trie->nodes[index]->parent, token_of(trie->nodes[index])) & mask;
    while (trie->edges[at] >= 0) {
        at = (at + 1) & mask;
    }
    trie->edge_used += trie->edges[at] == NO_NODE;
    trie->edges[at] = index;
    trie->edge_live++;
}

/* Keeps the table at most half full, removed places included. */
static bool reserve_edge(nq_trie *trie) {
    if (2 * (trie->edge_used + 1) <= trie->edge_capacity) {
        return true;
    }
    uint32_t capacity = 64;
    while (capacity < 4 * (trie->edge_live + 1)) {
        capacity *= 2;
    }
    int32_t *old = trie->edges;
    uint32_t old_capacity = trie->edge_capacity;
    int32_t *edges = nq_heap_alloc(capacity * sizeof(*edges));
    if (edges == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < capacity; i++) {
        edges[i] = NO_NODE;
    }
    trie->edges = edges;
    trie->edge_capacity = capacity;
    trie->edge_used = 0;
    trie->edge_live = 0;
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i] >= 0) {
            put_edge(trie, old[i]);
        }
    }
    nq_heap_free(old);
    return true;
}

static void remove_edge(nq_trie *trie, int32_t index) {
    uint32_t mask = trie->edge_capacity - 1;
    uint32_t at = hash_edge(trie->nodes[index]->parent, token_of(trie->nodes[index])) & mask;
    while (trie->edges[at] != index) {
        at = (at + 1) & mask;
    }
    trie->edges[at] = TOMB;
    trie->edge_live--;
}

/* Room for one more node, in the array and in both frontiers. */
static bool reserve_node(nq_trie *trie) {
    if (trie->free_node != NO_NODE || trie->node_count < trie->node_capacity) {
        return true;
    }
    uint32_t capacity = trie->node_capacity == 0 ? 16 : 2 * trie->node_capacity;
    trie_node **nodes = nq_heap_realloc(trie->nodes, capacity * sizeof(trie_node *));
    if (nodes == NULL) {
        return false;
    }
    trie->nodes = nodes;
    for (unsigned i = 0; i < 2; i++) {
        int32_t *frontier = nq_heap_realloc(trie->frontier[i], capacity * sizeof(int32_t));
        if (frontier == NULL) {
            return false;
        }
        trie->frontier[i] = frontier;
    }
    trie->node_capacity = capacity;
    return true;
}

static int32_t add_node(nq_trie *trie, int32_t parent, nq_token_kind kind, nq_bytes token) {
    if (!reserve_node(trie) || (kind == NQ_TOKEN_WORD && !reserve_edge(trie))) {
        return NO_NODE;
    }
    int32_t index = trie->free_node;
    if (index == NO_NODE) {
        trie_node *fresh = nq_heap_alloc(sizeof(*fresh));
        if (fresh == NULL) {
            return NO_NODE;
        }
        index = (int32_t)trie->node_count++;
        trie->nodes[index] = fresh;
    } else {
        trie->free_node = trie->nodes[index]->parent;
    }
    trie_node *node = trie->nodes[index];
    *node = (trie_node){.parent = parent, .one = NO_NODE, .deep = NO_NODE, .kind = kind};
    if (parent == NO_NODE) {
        return index;
    }
    if (kind == NQ_TOKEN_WORD) {
        node->token_size = (uint8_t)token.size;
        memcpy(node->token, token.data, token.size);
        put_edge(trie, index);
        trie->nodes[parent]->word_count++;
    } else if (kind == NQ_TOKEN_ONE) {
        trie->nodes[parent]->one = index;
    } else {
        trie->nodes[parent]->deep = index;
    }
    return index;
}

static int32_t find_child(const nq_trie *trie, int32_t parent, nq_token_kind kind, nq_bytes token) {
    switch (kind) {
    case NQ_TOKEN_ONE:
        return trie->nodes[parent]->one;
    case NQ_TOKEN_DEEP:
        return trie->nodes[parent]->deep;
    case NQ_TOKEN_WORD:
        return find_word(trie, parent, token);
    }
    return NO_NODE;
}

/* I1 */
static void prune(nq_trie *trie, int32_t index) {
    while (index != ROOT) {
        trie_node *node = trie->nodes[index];
        if (node->subject_count > 0 || node->word_count > 0 || node->one != NO_NODE ||
            node->deep != NO_NODE) {
            return;
        }
        int32_t parent = node->parent;
        if (node->kind == NQ_TOKEN_WORD) {
            remove_edge(trie, index);
            trie->nodes[parent]->word_count--;
        } else if (node->kind == NQ_TOKEN_ONE) {
            trie->nodes[parent]->one = NO_NODE;
        } else {
            trie->nodes[parent]->deep = NO_NODE;
        }
        nq_heap_free(node->subjects);
        node->subjects = NULL;
        node->parent = trie->free_node;
        trie->free_node = index;
        index = parent;
    }
}

nq_status nq_trie_create(nq_ctx *ctx, nq_trie **out_trie) {
    *out_trie = NULL;
    nq_trie *trie = nq_heap_calloc(1, sizeof(*trie));
    if (trie == NULL) {
        return nq_fail_no_memory(ctx, "the subscriptions");
    }
    trie->free_node = NO_NODE;
    if (add_node(trie, NO_NODE, NQ_TOKEN_ONE, (nq_bytes){0}) != ROOT) {
        nq_trie_destroy(trie);
        return nq_fail_no_memory(ctx, "the subscriptions");
    }
    *out_trie = trie;
    return NQ_OK;
}

void nq_trie_destroy(nq_trie *trie) {
    if (trie == NULL) {
        return;
    }
    for (uint32_t i = 0; i < trie->node_count; i++) {
        nq_heap_free(trie->nodes[i]->subjects);
        nq_heap_free(trie->nodes[i]);
    }
    nq_heap_free(trie->nodes);
    nq_heap_free(trie->edges);
    nq_heap_free(trie->frontier[0]);
    nq_heap_free(trie->frontier[1]);
    nq_heap_free(trie);
}

static bool add_subject(trie_node *node, void *subject) {
    if (node->subject_count == node->subject_capacity) {
        uint32_t capacity = node->subject_capacity == 0 ? 2 : 2 * node->subject_capacity;
        void **subjects = nq_heap_realloc(node->subjects, capacity * sizeof(*subjects));
        if (subjects == NULL) {
            return false;
        }
        node->subjects = subjects;
        node->subject_capacity = capacity;
    }
    node->subjects[node->subject_count++] = subject;
    return true;
}

static uint32_t find_subject(const trie_node *node, const void *subject) {
    uint32_t at = 0;
    while (at < node->subject_count && node->subjects[at] != subject) {
        at++;
    }
    return at;
}

nq_status nq_trie_insert(nq_ctx *ctx, nq_trie *trie, const nq_pattern *pattern, void *subject,
                         bool *out_is_new) {
    *out_is_new = false;
    int32_t at = ROOT;
    for (uint32_t i = 0; i < pattern->token_count; i++) {
        nq_token_kind kind = pattern->kinds[i];
        int32_t child = find_child(trie, at, kind, pattern->tokens[i]);
        if (child == NO_NODE) {
            child = add_node(trie, at, kind, pattern->tokens[i]);
        }
        if (child == NO_NODE) {
            prune(trie, at);
            return nq_fail_no_memory(ctx, "a subscription");
        }
        at = child;
    }
    trie_node *node = trie->nodes[at];
    if (find_subject(node, subject) < node->subject_count) {
        return NQ_OK;
    }
    if (!add_subject(node, subject)) {
        prune(trie, at);
        return nq_fail_no_memory(ctx, "a subscription");
    }
    trie->pattern_count++;
    *out_is_new = true;
    return NQ_OK;
}

bool nq_trie_remove(nq_trie *trie, const nq_pattern *pattern, void *subject) {
    int32_t at = ROOT;
    for (uint32_t i = 0; i < pattern->token_count && at != NO_NODE; i++) {
        at = find_child(trie, at, pattern->kinds[i], pattern->tokens[i]);
    }
    if (at == NO_NODE) {
        return false;
    }
    trie_node *node = trie->nodes[at];
    uint32_t place = find_subject(node, subject);
    if (place == node->subject_count) {
        return false;
    }
    node->subjects[place] = node->subjects[--node->subject_count];
    trie->pattern_count--;
    prune(trie, at);
    return true;
}

/* Puts a node and, because `**` may stand for nothing, the `**` chain below it into a frontier. */
static uint32_t reach(nq_trie *trie, int32_t *frontier, uint32_t count, int32_t index) {
    while (index != NO_NODE && trie->nodes[index]->seen != trie->walk) { /* I2 */
        trie->nodes[index]->seen = trie->walk;
        frontier[count++] = index;
        index = trie->nodes[index]->deep;
    }
    return count;
}

void nq_trie_match(nq_trie *trie, const nq_pattern *name, void (*visit)(void *user, void *subject),
                   void *user) {
    int32_t *current = trie->frontier[0];
    int32_t *next = trie->frontier[1];
    trie->walk++;
    uint32_t count = reach(trie, current, 0, ROOT);
    for (uint32_t i = 0; i < name->token_count && count > 0; i++) {
        trie->walk++;
        uint32_t next_count = 0;
        for (uint32_t k = 0; k < count; k++) {
            int32_t index = current[k];
            const trie_node *node = trie->nodes[index];
            if (node->kind == NQ_TOKEN_DEEP) {
                next_count = reach(trie, next, next_count, index);
            }
            next_count = reach(trie, next, next_count, node->one);
            next_count = reach(trie, next, next_count, find_word(trie, index, name->tokens[i]));
        }
        int32_t *swap = current;
        current = next;
        next = swap;
        count = next_count;
    }
    for (uint32_t k = 0; k < count; k++) {
        const trie_node *node = trie->nodes[current[k]];
        for (uint32_t i = 0; i < node->subject_count; i++) {
            visit(user, node->subjects[i]);
        }
    }
}

uint64_t nq_trie_pattern_count(const nq_trie *trie) {
    return trie->pattern_count;
}
