/* Server: puts queues, method table, acceptor, health and reflection together, and takes them apart
 * in an order in which nothing speaks to what is gone.
 *
 * The end:  health NOT_SERVING → listeners closed → core shuts down (GOAWAY; refuses new calls)
 *           → grace → our calls told SHUTTING_DOWN, which lets handlers say a last word
 *           → the core cancels what still hangs → the core reports its end → the last on_done
 *           → queues, connections, memory. */
#include "server/rpc/server.h"

#include <grpc/grpc_security.h>
#include <stdio.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/cpu.h"
#include "server/rpc/acceptor_internal.h"
#include "server/rpc/core_internal.h"
#include "server/rpc/core_version_internal.h"
#include "server/rpc/health.h"
#include "server/rpc/reflection.h"

enum {
    SLOTS_PREFETCHED = 32,
    QUEUES_MAX = 64,
    LOOK_NS = 2000000,
    DESCRIPTORS_FOR_OTHERS = 1024,
    LAST_WORD_MS = 500, /* between telling the calls and cutting them off */
    AGE_GRACE_MS = 300000,
    LOOKAHEAD_BYTES = 256 * 1024,
};

/* ---- Creating ---- */

static uint32_t or_default(uint32_t value, uint32_t default_value) {
    return value != 0 ? value : default_value;
}

static void fill_defaults(nq_server_options *options) {
    uint32_t cores = nq_cpu_count();
    options->queue_count = or_default(options->queue_count, cores < 4 ? cores : 4);
    if (options->queue_count > QUEUES_MAX) {
        options->queue_count = QUEUES_MAX;
    }
    options->connections_max = or_default(options->connections_max, 10000);
    options->streams_per_connection_max = or_default(options->streams_per_connection_max, 1000);
    options->calls_max = or_default(options->calls_max, 20000);
    options->message_bytes_max = or_default(options->message_bytes_max, 4 << 20);
    options->metadata_bytes_max = or_default(options->metadata_bytes_max, 16 << 10);
    options->call_bytes_max = or_default(options->call_bytes_max, 16 << 20);
    options->first_message_ms_max = or_default(options->first_message_ms_max, 10000);
    options->keepalive_ms = or_default(options->keepalive_ms, 30000);
    options->keepalive_timeout_ms = or_default(options->keepalive_timeout_ms, 10000);
    options->connection_idle_ms_max = or_default(options->connection_idle_ms_max, 600000);
}

static nq_status copy_interceptors(nq_ctx *ctx, nq_server *server,
                                   const nq_server_options *options) {
    size_t count = options->interceptor_count;
    if (count == 0) {
        return NQ_OK;
    }
    server->interceptors = nq_heap_calloc(count, sizeof(*server->interceptors));
    if (server->interceptors == NULL) {
        return nq_fail_no_memory(ctx, "the interceptors");
    }
    memcpy(server->interceptors, options->interceptors, count * sizeof(*server->interceptors));
    return NQ_OK;
}

static void give_socket(void *self, int core_fd) {
    nq__core_add_socket(((nq_server *)self)->core, core_fd);
}

static nq_status create_acceptor(nq_ctx *ctx, nq_server *server) {
    nq__descriptor_want(server->options.connections_max + DESCRIPTORS_FOR_OTHERS);
    server->connections = nq__connection_table_create(nq__descriptor_max());
    if (server->connections == NULL) {
        return nq_fail_no_memory(ctx, "the connection table");
    }
    nq_acceptor_options options = {
        .connections_max = server->options.connections_max,
        .connections_per_ip_max = server->options.connections_per_ip_max,
        .connections = server->connections,
        .give = give_socket,
        .self = server,
    };
    return nq__acceptor_create(ctx, &options, &server->acceptor);
}

/* Both exist before either's methods are added, because each is told of every service. */
static nq_status create_own_services(nq_ctx *ctx, nq_server *server) {
    if (!server->options.without_health) {
        server->health = nq_health_create();
        if (server->health == NULL || !nq_health_add(server->health, "")) {
            return nq_fail_no_memory(ctx, "the health service");
        }
    }
    if (server->options.descriptor_set.size > 0) {
        NQ_TRY(nq_reflection_create(ctx, server->options.descriptor_set, &server->reflection));
        NQ_TRY(nq_server_add_methods(ctx, server, nq_reflection_methods, nq_reflection_method_count,
                                     server->reflection));
    }
    if (server->health != NULL) {
        NQ_TRY(nq_server_add_methods(ctx, server, nq_health_methods, nq_health_method_count,
                                     server->health));
    }
    return NQ_OK;
}

nq_status nq_server_create(nq_ctx *ctx, const nq_server_options *options, nq_server **out_server) {
    *out_server = NULL;
    NQ_ASSERT(options->workers != NULL);
    nq_server *server = nq_heap_calloc(1, sizeof(*server));
    if (server == NULL) {
        return nq_fail_no_memory(ctx, "the server");
    }
    nq__core_init();
    nq_mutex_init(&server->mutex, NQ_LOCK_RPC_SERVER);
    nq_cond_init(&server->changed);
    server->options = *options;
    fill_defaults(&server->options);
    nq_status status = copy_interceptors(ctx, server, options);
    NQ_CHECK(status);
    server->host = (nq_call_host){
        .interceptors = server->interceptors,
        .interceptor_count = options->interceptor_count,
        .encode_error = options->encode_error,
        .encode_error_self = options->encode_error_self,
        .call_bytes_max = server->options.call_bytes_max,
    };
    NQ_CHECK(create_acceptor(ctx, server));
    NQ_CHECK(create_own_services(ctx, server));
    *out_server = server;
    return NQ_OK;
done:
    nq_server_destroy(server);
    return status;
}

/* ---- Methods ---- */

static nq_method_entry *find_entry(nq_server *server, const char *path) {
    for (size_t i = 0; i < server->entry_count; i++) {
        if (strcmp(server->entries[i].method.path, path) == 0) {
            return &server->entries[i];
        }
    }
    return NULL;
}

/* "/package.Service/Method" → "package.Service"; false when the path is not of that form. */
static bool service_of_path(const char *path, char *room, size_t room_bytes) {
    const char *end = path[0] == '/' ? strchr(path + 1, '/') : NULL;
    size_t bytes = end == NULL ? 0 : (size_t)(end - path) - 1;
    if (bytes == 0 || bytes >= room_bytes || end[1] == '\0' || strchr(end + 1, '/') != NULL) {
        return false;
    }
    memcpy(room, path + 1, bytes);
    room[bytes] = '\0';
    return true;
}

static bool make_known(nq_server *server, const char *service) {
    return (server->health == NULL || nq_health_add(server->health, service)) &&
           (server->reflection == NULL || nq_reflection_add_service(server->reflection, service));
}

static nq_status add_method(nq_ctx *ctx, nq_server *server, const nq_method *method,
                            void *service) {
    char name[256];
    if (!service_of_path(method->path, name, sizeof(name))) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "'%s' is no method path", method->path);
    }
    if (find_entry(server, method->path) != NULL) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "%s is registered twice", method->path);
    }
    if (server->entry_count == server->entry_capacity) {
        size_t capacity = server->entry_capacity == 0 ? 64 : server->entry_capacity * 2;
        nq_method_entry *entries = nq_heap_realloc(server->entries, capacity * sizeof(*entries));
        if (entries == NULL) {
            return nq_fail_no_memory(ctx, "the method table");
        }
        server->entries = entries;
        server->entry_capacity = capacity;
    }
    bool takes_one_message =
        method->shape == NQ_METHOD_UNARY || method->shape == NQ_METHOD_SERVER_STREAM;
    nq_method_entry *entry = &server->entries[server->entry_count++];
    *entry = (nq_method_entry){
        .method = *method,
        .service = service,
        .is_prefetched = takes_one_message && (method->flags & NQ_METHOD_PREFETCH) != 0 &&
                         method->handler != NULL && !server->options.without_prefetch,
    };
    if (entry->method.message_bytes_max == 0) {
        entry->method.message_bytes_max = server->options.message_bytes_max;
    }
    return make_known(server, name) ? NQ_OK : nq_fail_no_memory(ctx, "the service names");
}

nq_status nq_server_add_methods(nq_ctx *ctx, nq_server *server, const nq_method *methods,
                                size_t count, void *service) {
    NQ_ASSERT(!server->is_started);
    for (size_t i = 0; i < count; i++) {
        NQ_TRY(add_method(ctx, server, &methods[i], service));
    }
    return NQ_OK;
}

/* ---- Listening ---- */

nq_status nq_server_listen_tcp(nq_ctx *ctx, nq_server *server, const char *host, uint16_t port,
                               uint16_t *out_port) {
    nq_listener listener;
    NQ_ASSERT(!server->is_started);
    NQ_TRY(nq__listener_open_tcp(ctx, host, port, &listener, out_port));
    nq_status status = nq__acceptor_add(ctx, server->acceptor, &listener);
    if (status != NQ_OK) {
        nq__listener_close(&listener);
    }
    return status;
}

nq_status nq_server_listen_unix(nq_ctx *ctx, nq_server *server, const char *path, uint32_t mode) {
    nq_listener listener;
    NQ_ASSERT(!server->is_started);
    NQ_TRY(nq__listener_open_unix(ctx, path, mode, &listener));
    nq_status status = nq__acceptor_add(ctx, server->acceptor, &listener);
    if (status != NQ_OK) {
        nq__listener_close(&listener);
    }
    return status;
}

/* ---- Starting ---- */

static grpc_arg integer_arg(const char *key, uint32_t value) {
    return (grpc_arg){.type = GRPC_ARG_INTEGER,
                      .key = (char *)key,
                      .value.integer = value > INT32_MAX ? INT32_MAX : (int)value};
}

/* The core refuses what is larger than any method takes; the method's own limit is checked by the
 * call. */
static uint32_t largest_message(const nq_server *server) {
    size_t bytes = server->options.message_bytes_max;
    for (size_t i = 0; i < server->entry_count; i++) {
        size_t wanted = server->entries[i].method.message_bytes_max;
        bytes = wanted > bytes ? wanted : bytes;
    }
    return bytes > INT32_MAX ? INT32_MAX : (uint32_t)bytes;
}

static void create_core(nq_server *server) {
    const nq_server_options *options = &server->options;
    grpc_arg args[] = {
        integer_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, largest_message(server)),
        integer_arg(GRPC_ARG_MAX_METADATA_SIZE, options->metadata_bytes_max),
        integer_arg(GRPC_ARG_MAX_CONCURRENT_STREAMS, options->streams_per_connection_max),
        integer_arg(GRPC_ARG_KEEPALIVE_TIME_MS, options->keepalive_ms),
        integer_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, options->keepalive_timeout_ms),
        integer_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        /* Clients behind NATs ping every 10 s; the default would send them away. */
        integer_arg(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000),
        integer_arg(GRPC_ARG_MAX_CONNECTION_IDLE_MS, options->connection_idle_ms_max),
        /* Windows grow with what a stream uses, but ten thousand uploads must not pin gigabytes. */
        integer_arg(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, LOOKAHEAD_BYTES),
        integer_arg(GRPC_ARG_HTTP2_BDP_PROBE, 0),
        /* Only identity: a small compressed message must not become a large one behind our limits.
         */
        integer_arg(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1),
        integer_arg(GRPC_ARG_ALLOW_REUSEPORT, 0),
        integer_arg(GRPC_ARG_MAX_CONNECTION_AGE_MS, options->connection_age_ms_max),
        integer_arg(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, AGE_GRACE_MS),
    };
    size_t count = sizeof(args) / sizeof(args[0]);
    grpc_channel_args list = {.num_args = options->connection_age_ms_max == 0 ? count - 2 : count,
                              .args = args};
    server->core = grpc_server_create(&list, NULL);
}

static nq_status create_queues(nq_ctx *ctx, nq_server *server) {
    server->queues = nq_heap_calloc(server->options.queue_count, sizeof(*server->queues));
    if (server->queues == NULL) {
        return nq_fail_no_memory(ctx, "the queues");
    }
    for (uint32_t i = 0; i < server->options.queue_count; i++) {
        NQ_TRY(nq__queue_init(ctx, &server->queues[i], server));
        server->queue_count++;
        grpc_server_register_completion_queue(server->core, server->queues[i].cq, NULL);
    }
    return NQ_OK;
}

/* One a method: it is armed again before its call is looked at, so more would not be met sooner.
 * And they cost: Debian's core keeps its assertions, and at the end of every operation looks for
 * the tag among all that are outstanding, armed slots included, one by one. What is prefetched is
 * called most, and a burst of such calls can be seen as deep as there are slots (cork_internal.h).
 */
static void arm_slots(nq_server *server) {
    for (uint32_t q = 0; q < server->queue_count; q++) {
        for (size_t i = 0; i < server->entry_count; i++) {
            nq_method_entry *entry = &server->entries[i];
            for (int slot = 0; slot < (entry->is_prefetched ? SLOTS_PREFETCHED : 1); slot++) {
                nq__queue_arm(&server->queues[q], entry);
            }
        }
        nq__queue_arm(&server->queues[q], &server->catch_all);
    }
}

static nq_status start_threads(nq_ctx *ctx, nq_server *server) {
    for (uint32_t i = 0; i < server->queue_count; i++) {
        nq_queue *queue = &server->queues[i];
        char name[24];
        (void)snprintf(name, sizeof(name), "nq-queue%u", i);
        NQ_TRY(nq_thread_start(ctx, &queue->thread, name, nq__queue_run, queue));
        queue->is_running = true;
    }
    return nq__acceptor_start(ctx, server->acceptor);
}

nq_status nq_server_start(nq_ctx *ctx, nq_server *server) {
    NQ_ASSERT(!server->is_started);
    create_core(server);
    NQ_TRY(create_queues(ctx, server));
    for (size_t i = 0; i < server->entry_count; i++) {
        nq_method_entry *entry = &server->entries[i];
        entry->registered = grpc_server_register_method(
            server->core, entry->method.path, NULL,
            entry->is_prefetched ? GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER
                                 : GRPC_SRM_PAYLOAD_NONE,
            0);
        if (entry->registered == NULL) {
            return nq_fail(ctx, NQ_INVALID_ARGUMENT, "the core does not take %s",
                           entry->method.path);
        }
    }
    server->catch_all.method =
        (nq_method){.path = "(unknown)", .shape = NQ_METHOD_BIDI, .flags = NQ_METHOD_INLINE};
    grpc_server_start(server->core);
    server->is_started = true;
    arm_slots(server);
    return start_threads(ctx, server);
}

/* ---- Ending ---- */

static void fire_stopped(nq_core_tag *tag, bool ok) {
    nq_server *server = (nq_server *)(void *)((char *)tag - offsetof(nq_server, stopped));
    (void)ok;
    nq_mutex_lock(&server->mutex);
    server->has_stopped = true;
    nq_cond_broadcast(&server->changed);
    nq_mutex_unlock(&server->mutex);
}

/* true: the core has stopped and our last call is done. */
static bool wait_for_end(nq_server *server, uint32_t wait_ms) {
    int64_t until_ns = nq_clock_monotonic_ns() + wait_ms * INT64_C(1000000);
    bool is_over = false;
    nq_mutex_lock(&server->mutex);
    for (;;) {
        is_over = server->has_stopped && atomic_load(&server->calls_open) == 0;
        if (is_over || nq_clock_monotonic_ns() >= until_ns) {
            break;
        }
        /* The last on_done does not ring; it is looked for. */
        int64_t look_ns = nq_clock_monotonic_ns() + LOOK_NS;
        (void)nq_cond_wait_until(&server->changed, &server->mutex,
                                 look_ns < until_ns ? look_ns : until_ns);
    }
    nq_mutex_unlock(&server->mutex);
    return is_over;
}

static void begin_end(nq_server *server) {
    server->stopped.fire = fire_stopped;
    NQ_CORE_GIVE(&server->stopped);
    grpc_server_shutdown_and_notify(server->core, server->queues[0].cq, &server->stopped);
}

static void end_calls(nq_server *server, uint32_t grace_ms) {
    if (wait_for_end(server, grace_ms)) {
        return;
    }
    for (uint32_t i = 0; i < server->queue_count; i++) {
        nq__queue_cancel_all(&server->queues[i], NQ_SHUTTING_DOWN);
    }
    if (wait_for_end(server, grace_ms < LAST_WORD_MS ? grace_ms : LAST_WORD_MS)) {
        return;
    }
    grpc_server_cancel_all_calls(server->core);
    nq__connection_condemn_all(server->connections);
    nq__acceptor_ring(server->acceptor);
    while (!wait_for_end(server, 60000)) {
    }
}

void nq_server_drain(nq_server *server, uint32_t grace_ms) {
    nq_mutex_lock(&server->mutex);
    bool is_first = !server->drain_begun;
    server->drain_begun = true;
    while (!is_first && !server->drain_ended) {
        nq_cond_wait(&server->changed, &server->mutex);
    }
    nq_mutex_unlock(&server->mutex);
    if (!is_first) {
        return;
    }
    if (server->health != NULL) {
        nq_health_shut_down(server->health);
    }
    nq__acceptor_stop_accepting(server->acceptor);
    if (server->is_started) {
        begin_end(server);
        if (server->queues[0].is_running) {
            end_calls(server, grace_ms);
        }
    }
    nq_mutex_lock(&server->mutex);
    server->drain_ended = true;
    nq_cond_broadcast(&server->changed);
    nq_mutex_unlock(&server->mutex);
}

void nq_server_destroy(nq_server *server) {
    if (server == NULL) {
        return;
    }
    if (server->acceptor != NULL) {
        nq_server_drain(server, 0);
    }
    while (atomic_load_explicit(&server->objects_lent, memory_order_acquire) > 0) {
        nq_thread_sleep_ns(LOOK_NS);
    }
    nq__acceptor_destroy(server->acceptor);
    if (server->core != NULL) {
        grpc_server_destroy(server->core);
    }
    for (uint32_t i = 0; i < server->queue_count; i++) {
        nq__queue_deinit(&server->queues[i]);
    }
    nq__connection_table_destroy(server->connections);
    nq_reflection_destroy(server->reflection);
    nq_health_destroy(server->health);
    nq_heap_free(server->queues);
    nq_heap_free(server->entries);
    nq_heap_free(server->interceptors);
    nq_cond_deinit(&server->changed);
    nq_mutex_deinit(&server->mutex);
    nq_heap_free(server);
    grpc_shutdown();
}

/* ---- Looking ---- */

nq_status nq_server_add_health(nq_ctx *ctx, nq_server *server, const char *name) {
    if (server->health != NULL && !nq_health_add(server->health, name)) {
        return nq_fail_no_memory(ctx, "the health of a part");
    }
    return NQ_OK;
}

void nq_server_set_serving(nq_server *server, const char *service, bool is_serving) {
    if (server->health != NULL) {
        nq_health_set(server->health, service, is_serving);
    }
}

void nq_server_visit_connections(nq_server *server,
                                 void (*visit)(void *user, const nq_connection_info *info),
                                 void *user) {
    nq__connection_visit(server->connections, visit, user);
}

bool nq_server_close_connection(nq_server *server, uint64_t connection_id) {
    bool is_found = nq__connection_condemn(server->connections, connection_id);
    nq__acceptor_ring(server->acceptor);
    return is_found;
}

void nq_server_get_stats(const nq_server *server, nq_server_stats *out_stats) {
    *out_stats = (nq_server_stats){
        .connections = nq__connection_count(server->connections),
        .connections_accepted = nq__acceptor_accepted(server->acceptor),
        .connections_refused = nq__acceptor_refused(server->acceptor),
        .calls_open = atomic_load(&server->calls_open),
        .calls = atomic_load(&server->last_call_id),
        .calls_refused = atomic_load(&server->calls_refused),
        .calls_unimplemented = atomic_load(&server->calls_unimplemented),
    };
}

void nq_server_print_grpc_version(char out_text[static NQ_GRPC_VERSION_BYTES]) {
    const char *release = nq__core_release();
    (void)snprintf(out_text, NQ_GRPC_VERSION_BYTES, "%s%s(core %s)", release != NULL ? release : "",
                   release != NULL ? " " : "", grpc_version_string());
}
