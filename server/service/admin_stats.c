/* Admin stats: where each number of GetStats comes from. */
#include <stdio.h>

#include "engine/ground/obs/metrics.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/cpu.h"
#include "engine/ground/os/worker_pool.h"
#include "server/service/admin_service_internal.h"

typedef struct stats_visit {
    const nq_get_stats_request *request;
    nq_writer *writer;
} stats_visit;

bool nq__name_is_like(nq_bytes name, nq_bytes pattern) {
    size_t at = 0, p = 0, retry_at = 0, retry_p = SIZE_MAX;
    while (at < name.size) {
        if (p < pattern.size && pattern.data[p] == '%') {
            retry_p = ++p;
            retry_at = at;
        } else if (p < pattern.size &&
                   (pattern.data[p] == '_' || pattern.data[p] == name.data[at])) {
            p++;
            at++;
        } else if (retry_p != SIZE_MAX) {
            /* Let the last % take one byte more. */
            p = retry_p;
            at = ++retry_at;
        } else {
            return false;
        }
    }
    while (p < pattern.size && pattern.data[p] == '%') {
        p++;
    }
    return p == pattern.size;
}

static bool is_wanted(const stats_visit *visit, const char *name) {
    bool wanted = visit->request->pattern_count == 0;
    for (uint32_t i = 0; i < visit->request->pattern_count && !wanted; i++) {
        wanted = nq__name_is_like(nq_bytes_of_cstr(name), visit->request->patterns[i]);
    }
    return wanted;
}

static void put(void *user, const char *name, double value) {
    const stats_visit *visit = user;
    if (is_wanted(visit, name)) {
        nq_metric_write(visit->writer, name, "", "", "", value);
    }
}

/* The engine names its numbers without the product's prefix. */
static void put_engine(void *user, const char *name, double value) {
    char full_name[96];
    (void)snprintf(full_name, sizeof full_name, "neuroquantum_%s", name);
    put(user, full_name, value);
}

static void put_histogram(const stats_visit *visit, const nq_metric_sample *sample) {
    static const struct {
        const char *text;
        double fraction;
    } quantiles[] = {{"0.5", 0.5}, {"0.9", 0.9}, {"0.99", 0.99}};
    double scale = sample->unit == NQ_UNIT_SECONDS ? 1e-9 : 1.0;
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        nq_metric_write(
            visit->writer, sample->name, "", sample->labels, quantiles[i].text,
            scale * (double)nq_histogram_quantile(sample->histogram, quantiles[i].fraction));
    }
    nq_metric_write(visit->writer, sample->name, "_sum", sample->labels, "",
                    scale * (double)sample->histogram->sum);
    nq_metric_write(visit->writer, sample->name, "_count", sample->labels, "",
                    (double)sample->histogram->count);
}

static void put_sample(void *user, const nq_metric_sample *sample) {
    const stats_visit *visit = user;
    if (!is_wanted(visit, sample->name)) {
        return;
    }
    if (sample->kind == NQ_METRIC_HISTOGRAM) {
        put_histogram(visit, sample);
    } else {
        nq_metric_write(visit->writer, sample->name, "", sample->labels, "",
                        sample->kind == NQ_METRIC_COUNTER ? (double)sample->count
                                                          : (double)sample->level);
    }
}

static void put_server(stats_visit *visit, nq_service *service) {
    nq_server_stats stats;
    nq_worker_pool_stats workers;
    nq_server_get_stats(service->server, &stats);
    nq_worker_pool_get_stats(service->workers, &workers);
    put(visit, "neuroquantum_connections", (double)stats.connections);
    put(visit, "neuroquantum_connections_accepted_total", (double)stats.connections_accepted);
    put(visit, "neuroquantum_connections_refused_total", (double)stats.connections_refused);
    put(visit, "neuroquantum_calls_open", (double)stats.calls_open);
    put(visit, "neuroquantum_calls_total", (double)stats.calls);
    put(visit, "neuroquantum_calls_refused_total", (double)stats.calls_refused);
    put(visit, "neuroquantum_calls_unimplemented_total", (double)stats.calls_unimplemented);
    put(visit, "neuroquantum_worker_threads", (double)workers.thread_count);
    put(visit, "neuroquantum_worker_threads_busy", (double)workers.busy_count);
}

static void put_process(stats_visit *visit, nq_service *service) {
    put(visit, "neuroquantum_process_resident_bytes", (double)nq_cpu_resident_bytes());
    put(visit, "neuroquantum_process_cpu_seconds_total", (double)nq_clock_process_cpu_ns() / 1e9);
    put(visit, "neuroquantum_process_uptime_seconds",
        (double)(nq_clock_realtime_us() - service->start_time_us) / 1e6);
    put(visit, "neuroquantum_queries_running", (double)nq_query_registry_count(service->queries));
    put(visit, "neuroquantum_transactions_open",
        (double)nq_transaction_registry_count(service->transactions));
    put(visit, "neuroquantum_statements_prepared",
        (double)nq_prepared_registry_count(service->prepared));
}

void nq__stats_write(nq_service *service, const nq_get_stats_request *request, nq_writer *writer) {
    stats_visit visit = {.request = request, .writer = writer};
    nq_database_visit_stats(service->database, put_engine, &visit);
    put_server(&visit, service);
    put_process(&visit, service);
    nq_metrics_visit(put_sample, &visit);
}
