/* Fake call: a transport whose wire is two lists. Operations only note that they were asked for;
 * the loop in nq_fake_call_run completes them, one per turn, until nothing is left that could
 * happen. */
#include "tests/support/fake_call.h"

#include <stdlib.h>
#include <string.h>

#include "engine/ground/base/assert.h"
#include "server/rpc/transport.h"

typedef struct byte_list {
    nq_bytes *items;
    size_t count;
} byte_list;

typedef struct pair {
    struct pair *next;
    char *key;
    nq_bytes value;
} pair;

struct nq_fake_call {
    nq_call base; /* first */
    nq_fake_options options;
    nq_call_host host;
    bool is_opened;
    _Atomic bool is_submitted;
    _Atomic bool is_kicked;
    _Atomic bool is_gone;
    byte_list requests;
    size_t request_next;
    bool has_half_closed;
    bool wants_request;
    nq_bytes incoming;
    bool has_incoming;
    nq_send step; /* when is_sending */
    bool is_sending;
    size_t writes_allowed;
    bool watches_close;
    bool is_close_told;
    byte_list responses;
    pair *headers;
    pair *trailers;
    bool has_status;
    nq_rpc_code code;
    char *text;
    nq_bytes details;
    bool is_done;
    bool is_recycled;
    bool is_closed; /* by the test; freed with the last reference */
};

static nq_fake_call *fake_of(const nq_call *call) {
    return (nq_fake_call *)(void *)call;
}

static nq_bytes copy(nq_bytes bytes) {
    uint8_t *room = malloc(bytes.size + 1);
    NQ_ASSERT(room != NULL);
    if (bytes.size > 0) {
        memcpy(room, bytes.data, bytes.size);
    }
    room[bytes.size] = '\0';
    return nq_bytes_of(room, bytes.size);
}

static void append(byte_list *list, nq_bytes owned) {
    nq_bytes *items = realloc(list->items, (list->count + 1) * sizeof(*items));
    NQ_ASSERT(items != NULL);
    items[list->count++] = owned;
    list->items = items;
}

static void copy_pairs(pair **to, const nq_metadatum *from) {
    for (; from != NULL; from = from->next) {
        pair *item = calloc(1, sizeof(*item));
        NQ_ASSERT(item != NULL);
        item->key = (char *)(void *)copy(nq_bytes_of_cstr(from->key)).data;
        item->value = copy(from->value);
        item->next = *to;
        *to = item;
    }
}

/* ---- The transport ---- */

static bool fake_send(nq_call *call, const nq_send *step) {
    nq_fake_call *fake = fake_of(call);
    NQ_ASSERT(!fake->is_sending);
    NQ_ASSERT(!(step->more_follows && (step->with_headers || step->with_status)));
    fake->step = *step;
    fake->is_sending = true;
    if (step->with_status && !call->is_watched) {
        fake->watches_close = true;
    }
    return true;
}

static bool fake_receive(nq_call *call) {
    NQ_ASSERT(!fake_of(call)->wants_request);
    fake_of(call)->wants_request = true;
    return true;
}

static bool fake_watch_close(nq_call *call) {
    NQ_ASSERT(!fake_of(call)->watches_close);
    fake_of(call)->watches_close = true;
    return true;
}

static void fake_abort(nq_call *call, nq_rpc_code code, const char *text) {
    nq_fake_call *fake = fake_of(call);
    if (!fake->has_status) {
        fake->has_status = true;
        fake->code = code;
        fake->text = (char *)(void *)copy(nq_bytes_of_cstr(text)).data;
    }
    atomic_store(&fake->is_gone, true);
}

static void fake_linger(nq_call *call) {
    (void)call; /* No time passes here: a client that does not read keeps a cancelled call until
                   close. */
}

static void fake_kick(nq_call *call) {
    atomic_store(&fake_of(call)->is_kicked, true);
}

static void fake_submit(nq_call *call) {
    atomic_store(&fake_of(call)->is_submitted, true);
}

static bool fake_take_message(nq_call *call, nq_bytes *out_message) {
    *out_message = fake_of(call)->incoming;
    return fake_of(call)->has_incoming;
}

static void fake_drop_message(nq_call *call) {
    /* Poisoned, so that a handler that kept the pointer is found out. */
    nq_fake_call *fake = fake_of(call);
    if (fake->has_incoming) {
        memset((void *)fake->incoming.data, 0xdd, fake->incoming.size);
    }
    fake->has_incoming = false;
}

static nq_bytes fake_metadata(const nq_call *call, const char *key) {
    const char *const *items = fake_of(call)->options.metadata;
    for (; items != NULL && items[0] != NULL; items += 2) {
        if (strcmp(items[0], key) == 0) {
            return nq_bytes_of_cstr(items[1]);
        }
    }
    return (nq_bytes){0};
}

static const char *fake_peer(const nq_call *call) {
    return fake_of(call)->options.peer;
}

static bool fake_is_metadata_legal(const char *key, nq_bytes value) {
    bool is_binary = strlen(key) > 4 && strcmp(key + strlen(key) - 4, "-bin") == 0;
    for (const char *at = key; *at != '\0'; at++) {
        if (!((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '-' ||
              *at == '_' || *at == '.')) {
            return false;
        }
    }
    for (size_t i = 0; !is_binary && i < value.size; i++) {
        if (value.data[i] < 0x20 || value.data[i] > 0x7e) {
            return false;
        }
    }
    return key[0] != '\0' && strncmp(key, "grpc-", 5) != 0;
}

static void fake_done(nq_call *call) {
    fake_of(call)->is_done = true;
}

static void free_pairs(pair *list) {
    while (list != NULL) {
        pair *next = list->next;
        free(list->key);
        free((void *)list->value.data);
        free(list);
        list = next;
    }
}

static void free_list(byte_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free((void *)list->items[i].data);
    }
    free(list->items);
}

static void free_fake(nq_fake_call *fake) {
    free_list(&fake->requests);
    free_list(&fake->responses);
    free_pairs(fake->headers);
    free_pairs(fake->trailers);
    nq_call_deinit(&fake->base);
    free(fake->text);
    free((void *)fake->details.data);
    free(fake);
}

static void fake_recycle(nq_call *call) {
    nq_fake_call *fake = fake_of(call);
    fake->is_recycled = true;
    if (fake->is_closed) {
        free_fake(fake);
    }
}

static const nq_transport fake_transport = {
    .send = fake_send,
    .receive = fake_receive,
    .watch_close = fake_watch_close,
    .abort = fake_abort,
    .linger = fake_linger,
    .kick = fake_kick,
    .submit = fake_submit,
    .take_message = fake_take_message,
    .drop_message = fake_drop_message,
    .metadata = fake_metadata,
    .peer = fake_peer,
    .is_metadata_legal = fake_is_metadata_legal,
    .done = fake_done,
    .recycle = fake_recycle,
};

/* ---- The client's side ---- */

nq_fake_call *nq_fake_call_open(const nq_method *method, void *service,
                                const nq_fake_options *options) {
    static uint64_t last_id;
    nq_fake_call *fake = calloc(1, sizeof(*fake));
    NQ_ASSERT(fake != NULL && method->handler != NULL);
    if (options != NULL) {
        fake->options = *options;
    }
    if (fake->options.peer == NULL) {
        fake->options.peer = "ipv4:127.0.0.1:1";
    }
    fake->host = (nq_call_host){
        .encode_error = fake->options.encode_error,
        .encode_error_self = fake->options.encode_error_self,
        .call_bytes_max = 64 << 20,
    };
    fake->base.transport = &fake_transport;
    fake->base.host = &fake->host;
    fake->base.method = method;
    fake->base.service = service;
    fake->base.id = ++last_id;
    fake->base.connection_id = 1;
    fake->base.deadline_ns =
        fake->options.deadline_ns != 0 ? fake->options.deadline_ns : NQ_NO_DEADLINE;
    return fake;
}

void nq_fake_call_send(nq_fake_call *fake, nq_bytes message) {
    NQ_ASSERT(!fake->has_half_closed);
    append(&fake->requests, copy(message));
}

void nq_fake_call_half_close(nq_fake_call *fake) {
    fake->has_half_closed = true;
}

void nq_fake_call_go_away(nq_fake_call *fake) {
    atomic_store(&fake->is_gone, true);
}

void nq_fake_call_pass_deadline(nq_fake_call *fake) {
    fake->base.deadline_ns = 1;
    atomic_store(&fake->is_gone, true);
}

void nq_fake_call_complete_write(nq_fake_call *fake) {
    fake->writes_allowed++;
}

/* ---- Letting things happen ---- */

static bool step_receive(nq_fake_call *fake) {
    bool has_request = fake->request_next < fake->requests.count;
    bool is_end = fake->has_half_closed || fake->has_status || atomic_load(&fake->is_gone);
    if (!fake->wants_request || (!has_request && !is_end)) {
        return false;
    }
    fake->wants_request = false;
    fake->has_incoming = has_request && !atomic_load(&fake->is_gone);
    fake->incoming =
        fake->has_incoming ? fake->requests.items[fake->request_next++] : (nq_bytes){0};
    nq_call_on_received(&fake->base);
    return true;
}

static void record(nq_fake_call *fake) {
    const nq_send *step = &fake->step;
    if (step->with_headers) {
        copy_pairs(&fake->headers, step->headers);
    }
    if (step->message != NULL) {
        nq_bytes whole = {.size = nq_payload_size(step->message)};
        uint8_t *to = malloc(whole.size + 1);
        NQ_ASSERT(to != NULL);
        whole.data = to;
        for (size_t i = 0; i < nq_payload_part_count(step->message); i++) {
            nq_bytes part = nq_payload_part(step->message, i);
            memcpy(to, part.data, part.size);
            to += part.size;
        }
        append(&fake->responses, whole);
    }
    if (step->with_status && !fake->has_status) {
        fake->has_status = true;
        fake->code = step->code;
        fake->text = (char *)(void *)copy(nq_bytes_of_cstr(step->text)).data;
        fake->details = copy(step->details);
        copy_pairs(&fake->trailers, step->trailers);
    }
}

static bool step_send(nq_fake_call *fake) {
    bool is_gone = atomic_load(&fake->is_gone);
    if (!fake->is_sending) {
        return false;
    }
    bool is_held = fake->options.holds_writes && fake->step.message != NULL && !is_gone;
    if (is_held && fake->writes_allowed == 0) {
        return false;
    }
    fake->writes_allowed -= is_held ? 1 : 0;
    fake->is_sending = false;
    if (!is_gone) {
        record(fake);
    }
    nq_call_on_sent(&fake->base, !is_gone);
    return true;
}

static bool step_close(nq_fake_call *fake) {
    bool is_over = fake->has_status || atomic_load(&fake->is_gone);
    if (!fake->watches_close || fake->is_close_told || !is_over || fake->is_sending) {
        return false;
    }
    fake->is_close_told = true;
    nq_call_on_closed(&fake->base, atomic_load(&fake->is_gone));
    return true;
}

static bool step(nq_fake_call *fake) {
    if (!fake->is_opened) {
        fake->is_opened = true;
        nq_call_on_opened(&fake->base, false, NULL);
        return true;
    }
    if (atomic_exchange(&fake->is_submitted, false)) {
        nq_call_run_strand(&fake->base, true);
        return true;
    }
    if (atomic_exchange(&fake->is_kicked, false)) {
        nq_call_run_strand(&fake->base, false);
        return true;
    }
    return !fake->is_recycled && (step_receive(fake) || step_send(fake) || step_close(fake));
}

void nq_fake_call_run(nq_fake_call *fake) {
    while (step(fake)) {
    }
}

/* ---- What the client received ---- */

size_t nq_fake_call_message_count(const nq_fake_call *fake) {
    return fake->responses.count;
}

nq_bytes nq_fake_call_message(const nq_fake_call *fake, size_t index) {
    NQ_ASSERT(index < fake->responses.count);
    return fake->responses.items[index];
}

bool nq_fake_call_has_status(const nq_fake_call *fake) {
    return fake->has_status;
}

nq_rpc_code nq_fake_call_code(const nq_fake_call *fake) {
    NQ_ASSERT(fake->has_status);
    return fake->code;
}

const char *nq_fake_call_text(const nq_fake_call *fake) {
    return fake->text != NULL ? fake->text : "";
}

nq_bytes nq_fake_call_details(const nq_fake_call *fake) {
    return fake->details;
}

static nq_bytes find(const pair *list, const char *key) {
    for (; list != NULL; list = list->next) {
        if (strcmp(list->key, key) == 0) {
            return list->value;
        }
    }
    return (nq_bytes){0};
}

nq_bytes nq_fake_call_trailer(const nq_fake_call *fake, const char *key) {
    return find(fake->trailers, key);
}

nq_bytes nq_fake_call_header(const nq_fake_call *fake, const char *key) {
    return find(fake->headers, key);
}

bool nq_fake_call_is_done(const nq_fake_call *fake) {
    return fake->is_done;
}

nq_call *nq_fake_call_call(nq_fake_call *fake) {
    return &fake->base;
}

void nq_fake_call_close(nq_fake_call *fake) {
    if (!fake->is_done) {
        nq_fake_call_go_away(fake);
        nq_fake_call_run(fake);
    }
    NQ_ASSERT(fake->is_done);
    fake->is_closed = true;
    if (fake->is_recycled) {
        free_fake(fake);
    }
}
