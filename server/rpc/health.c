/* Health: a short list of names with a state each, and the streams that watch them.
 *
 * Watchers are linked through their calls' states; the lock keeps a watcher from ending while it is
 * being woken (on_done unlinks under it). */
#include "server/rpc/health.h"

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/mutex.h"
#include "server/rpc/protobuf_internal.h"

/* The values of HealthCheckResponse.ServingStatus. */
typedef enum serving_status { SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3 } serving_status;

typedef struct service {
    struct service *next;
    serving_status status;
    size_t name_bytes;
    char name[];
} service;

typedef struct watcher {
    struct watcher *next;
    struct watcher *previous;
    nq_health *health; /* NULL until linked */
    nq_call *call;
    const service *watched; /* NULL: unknown */
    serving_status told;
} watcher;

struct nq_health {
    nq_mutex mutex;
    service *first;
    watcher *watchers;
    bool is_shut_down;
};

/* ---- The states ---- */

nq_health *nq_health_create(void) {
    nq_health *health = nq_heap_calloc(1, sizeof(*health));
    if (health != NULL) {
        nq_mutex_init(&health->mutex, NQ_LOCK_RPC_HEALTH);
    }
    return health;
}

void nq_health_destroy(nq_health *health) {
    if (health == NULL) {
        return;
    }
    NQ_ASSERT(health->watchers == NULL);
    while (health->first != NULL) {
        service *next = health->first->next;
        nq_heap_free(health->first);
        health->first = next;
    }
    nq_mutex_deinit(&health->mutex);
    nq_heap_free(health);
}

static service *find(const nq_health *health, nq_bytes name) {
    for (service *one = health->first; one != NULL; one = one->next) {
        if (nq_bytes_equal(nq_bytes_of(one->name, one->name_bytes), name)) {
            return one;
        }
    }
    return NULL;
}

bool nq_health_add(nq_health *health, const char *name) {
    nq_bytes bytes = nq_bytes_of_cstr(name);
    bool is_known = false;
    nq_mutex_lock(&health->mutex);
    if (find(health, bytes) != NULL) {
        is_known = true;
    } else {
        service *added = nq_heap_calloc(1, sizeof(*added) + bytes.size);
        if (added != NULL) {
            memcpy(added->name, bytes.data, bytes.size);
            added->name_bytes = bytes.size;
            added->status = NOT_SERVING;
            added->next = health->first;
            health->first = added;
            is_known = true;
        }
    }
    nq_mutex_unlock(&health->mutex);
    return is_known;
}

static void wake_watchers(nq_health *health) {
    for (watcher *one = health->watchers; one != NULL; one = one->next) {
        nq_call_wake(one->call);
    }
}

void nq_health_set(nq_health *health, const char *name, bool is_serving) {
    nq_mutex_lock(&health->mutex);
    service *known = health->is_shut_down ? NULL : find(health, nq_bytes_of_cstr(name));
    if (known != NULL) {
        known->status = is_serving ? SERVING : NOT_SERVING;
        wake_watchers(health);
    }
    nq_mutex_unlock(&health->mutex);
}

void nq_health_shut_down(nq_health *health) {
    nq_mutex_lock(&health->mutex);
    health->is_shut_down = true;
    for (service *one = health->first; one != NULL; one = one->next) {
        one->status = NOT_SERVING;
    }
    wake_watchers(health);
    nq_mutex_unlock(&health->mutex);
}

/* ---- Messages ---- */

/* HealthCheckRequest { string service = 1; }. false: malformed, and the call has been failed. */
static bool read_request(nq_call *call, nq_bytes message, nq_bytes *out_name) {
    nq_pb_field field;
    bool is_malformed = false;
    *out_name = (nq_bytes){0};
    while (nq_pb_next(&message, &field, &is_malformed)) {
        if (field.id == 1 && field.is_bytes) {
            *out_name = field.bytes;
        }
    }
    if (is_malformed) {
        nq_call_finish(call, NQ_RPC_INVALID_ARGUMENT, "malformed HealthCheckRequest",
                       (nq_bytes){0});
    }
    return !is_malformed;
}

/* HealthCheckResponse { ServingStatus status = 1; } */
static nq_payload *encode_status(serving_status status) {
    uint8_t room[2];
    (void)nq_pb_write_number(room, 1, status);
    return nq_payload_copy(nq_bytes_of(room, sizeof(room)));
}

/* ---- Check ---- */

static void check_on_message(nq_call *call, nq_bytes message) {
    nq_health *health = nq_call_service(call);
    nq_bytes name;
    if (!read_request(call, message, &name)) {
        return;
    }
    nq_mutex_lock(&health->mutex);
    const service *known = find(health, name);
    serving_status status = known != NULL ? known->status : SERVICE_UNKNOWN;
    nq_mutex_unlock(&health->mutex);
    if (status == SERVICE_UNKNOWN) {
        nq_call_finish(call, NQ_RPC_NOT_FOUND, "unknown service", (nq_bytes){0});
    } else {
        nq_call_reply(call, encode_status(status));
    }
}

/* ---- List ---- */

/* HealthListResponse { map<string, HealthCheckResponse> statuses = 1; } */
static void list_on_message(nq_call *call, nq_bytes message) {
    nq_health *health = nq_call_service(call);
    enum { STATUS_BYTES = 2 };
    size_t bytes = 0;
    (void)message;
    nq_mutex_lock(&health->mutex);
    for (const service *one = health->first; one != NULL; one = one->next) {
        bytes +=
            nq_pb_field_bytes(nq_pb_field_bytes(one->name_bytes) + nq_pb_field_bytes(STATUS_BYTES));
    }
    nq_payload *payload = nq_payload_create(bytes);
    uint8_t *to = payload != NULL ? nq_payload_room(payload) : NULL;
    for (const service *one = health->first; to != NULL && one != NULL; one = one->next) {
        to = nq_pb_write_head(to, 1,
                              nq_pb_field_bytes(one->name_bytes) + nq_pb_field_bytes(STATUS_BYTES));
        to = nq_pb_write_bytes(to, 1, nq_bytes_of(one->name, one->name_bytes));
        to = nq_pb_write_head(to, 2, STATUS_BYTES);
        to = nq_pb_write_number(to, 1, one->status);
    }
    nq_mutex_unlock(&health->mutex);
    nq_call_reply(call, payload != NULL ? nq_payload_seal(payload, bytes) : NULL);
}

/* ---- Watch ---- */

static void tell(nq_call *call) {
    watcher *self = nq_call_state(call);
    if (self->health == NULL || !nq_call_can_write(call)) {
        return;
    }
    nq_mutex_lock(&self->health->mutex);
    serving_status status = self->watched != NULL ? self->watched->status : SERVICE_UNKNOWN;
    bool is_last = self->health->is_shut_down;
    nq_mutex_unlock(&self->health->mutex);
    if (status != self->told) {
        self->told = status;
        (void)nq_call_write(call, encode_status(status), is_last);
    }
    if (is_last) {
        /* A stream that only reports health must not keep a draining server waiting. */
        nq_call_finish(call, NQ_RPC_UNAVAILABLE, "the server is draining", (nq_bytes){0});
    }
}

static void watch_on_message(nq_call *call, nq_bytes message) {
    nq_health *health = nq_call_service(call);
    watcher *self = nq_call_state(call);
    nq_bytes name;
    if (!read_request(call, message, &name)) {
        return;
    }
    self->call = call;
    nq_mutex_lock(&health->mutex);
    self->health = health;
    self->watched = find(health, name);
    self->next = health->watchers;
    if (self->next != NULL) {
        self->next->previous = self;
    }
    health->watchers = self;
    nq_mutex_unlock(&health->mutex);
    tell(call);
}

static void watch_on_done(nq_call *call) {
    watcher *self = nq_call_state(call);
    nq_health *health = self->health;
    if (health == NULL) {
        return;
    }
    nq_mutex_lock(&health->mutex);
    if (self->previous != NULL) {
        self->previous->next = self->next;
    } else {
        health->watchers = self->next;
    }
    if (self->next != NULL) {
        self->next->previous = self->previous;
    }
    nq_mutex_unlock(&health->mutex);
}

/* ---- The table ---- */

static const nq_method_handler check_handler = {.on_message = check_on_message};
static const nq_method_handler list_handler = {.on_message = list_on_message};
static const nq_method_handler watch_handler = {
    .state_bytes = sizeof(watcher),
    .on_message = watch_on_message,
    .on_writable = tell,
    .on_wake = tell,
    .on_done = watch_on_done,
};

enum { FLAGS = NQ_METHOD_INLINE | NQ_METHOD_UNLIMITED, REQUEST_BYTES_MAX = 4096 };

const nq_method nq_health_methods[] = {
    {"/grpc.health.v1.Health/Check", NQ_METHOD_UNARY, FLAGS, &check_handler, REQUEST_BYTES_MAX},
    {"/grpc.health.v1.Health/List", NQ_METHOD_UNARY, FLAGS, &list_handler, REQUEST_BYTES_MAX},
    {"/grpc.health.v1.Health/Watch", NQ_METHOD_SERVER_STREAM, FLAGS, &watch_handler,
     REQUEST_BYTES_MAX},
};
const size_t nq_health_method_count = sizeof(nq_health_methods) / sizeof(nq_health_methods[0]);
