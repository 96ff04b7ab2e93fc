/* Readiness: one thread that looks once a second. A check is one lock in the engine. */
#include "server/app/readiness.h"

#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/mutex.h"
#include "engine/ground/os/thread.h"
#include "server/observe/event.h"

#define CHECK_INTERVAL_NS INT64_C(1000000000)

struct nq_readiness {
    const nq_service *service;
    nq_thread thread;
    nq_mutex mutex;
    nq_cond stop;
    bool is_stopping;
    bool is_serving; /* the thread's own */
};

static void set_serving(nq_readiness *readiness, bool is_serving) {
    static const char *const services[] = {
        "", "neuroquantum.v1.QueryService", "neuroquantum.v1.StreamService",
        "neuroquantum.v1.PubSubService", "neuroquantum.v1.AdminService"};
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        nq_server_set_serving(readiness->service->server, services[i], is_serving);
    }
    readiness->is_serving = is_serving;
}

/* Of the parts; a name that is not known is ignored. */
static void set_parts(const nq_readiness *readiness) {
    nq_log_state state = nq_database_log_state(readiness->service->database);
    nq_server *server = readiness->service->server;
    nq_server_set_serving(server, NQ_HEALTH_LOG_COPY, !state.is_copy_lost);
    nq_server_set_serving(server, NQ_HEALTH_LOG_ARCHIVE, !state.is_archive_refusing);
}

static void note(nq_status health) {
    nq_event event;
    nq_event_begin(&event, NQ_EVENT_ERROR, "the database takes no writes any more: not serving");
    nq_event_put_cstr(&event, "reason", nq_status_name(health));
    nq_event_put_cstr(&event, "meaning", nq_status_meaning(health));
    nq_event_end(&event);
}

static void watch(void *argument) {
    nq_readiness *readiness = argument;
    nq_mutex_lock(&readiness->mutex);
    while (!readiness->is_stopping) {
        (void)nq_cond_wait_until(&readiness->stop, &readiness->mutex,
                                 nq_clock_monotonic_ns() + CHECK_INTERVAL_NS);
        nq_mutex_unlock(&readiness->mutex);
        nq_status health = nq_database_health(readiness->service->database);
        if (health != NQ_OK && readiness->is_serving) {
            note(health);
            set_serving(readiness, false);
        }
        set_parts(readiness);
        nq_mutex_lock(&readiness->mutex);
    }
    nq_mutex_unlock(&readiness->mutex);
}

nq_status nq_readiness_add_parts(nq_ctx *ctx, const nq_service *service) {
    const struct {
        const char *directory;
        const char *name;
    } parts[] = {{service->config->storage_log_copy, NQ_HEALTH_LOG_COPY},
                 {service->config->storage_log_archive, NQ_HEALTH_LOG_ARCHIVE}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].directory[0] != '\0') {
            NQ_TRY(nq_server_add_health(ctx, service->server, parts[i].name));
        }
    }
    return NQ_OK;
}

nq_status nq_readiness_start(nq_ctx *ctx, const nq_service *service, nq_readiness **out_readiness) {
    *out_readiness = NULL;
    nq_readiness *readiness = nq_heap_calloc(1, sizeof *readiness);
    if (readiness == NULL) {
        return nq_fail_no_memory(ctx, "the readiness watch");
    }
    readiness->service = service;
    nq_mutex_init(&readiness->mutex, NQ_LOCK_SERVICE_REGISTRY);
    nq_cond_init(&readiness->stop);
    set_serving(readiness, true);
    set_parts(readiness);
    nq_status status = nq_thread_start(ctx, &readiness->thread, "readiness", watch, readiness);
    if (status != NQ_OK) {
        nq_cond_deinit(&readiness->stop);
        nq_mutex_deinit(&readiness->mutex);
        nq_heap_free(readiness);
        return status;
    }
    *out_readiness = readiness;
    return NQ_OK;
}

void nq_readiness_stop(nq_readiness *readiness) {
    if (readiness == NULL) {
        return;
    }
    nq_mutex_lock(&readiness->mutex);
    readiness->is_stopping = true;
    nq_cond_signal(&readiness->stop);
    nq_mutex_unlock(&readiness->mutex);
    nq_thread_join(&readiness->thread);
    nq_cond_deinit(&readiness->stop);
    nq_mutex_deinit(&readiness->mutex);
    nq_heap_free(readiness);
}
