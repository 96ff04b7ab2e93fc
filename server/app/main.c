/* neuroquantumd: main. What the process is: arguments, signals, what is printed, exit codes.
 *
 *     SIGTERM, SIGINT   drain, then exit 0; a second one ends the process at once
 *     SIGHUP            noted: no setting can change while the server runs
 */
#include <stdatomic.h>
#include <stdio.h>

#include "engine/api/restore.h"
#include "engine/api/upgrade.h"
#include "engine/data/value/datetime.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/signal.h"
#include "engine/ground/os/thread.h"
#include "server/app/app.h"
#include "server/observe/event.h"
#include "server/observe/version.h"

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_CONFIG = 2,
    EXIT_DATABASE = 3,
    EXIT_LISTEN = 4,
    CONFIG_FILE_BYTES_MAX = 1 << 20,
};

extern char **environ;

/* The one process there is. */
typedef struct process {
    nq_app *app;
    uint32_t grace_ms;
    atomic_bool is_drain_wanted; /* by AdminService.Drain */
    atomic_int_least64_t wanted_grace_ns;
    atomic_bool is_drained;
} process;

static nq_status read_file(nq_ctx *ctx, nq_arena *arena, const char *path, nq_bytes *out_text) {
    nq_file *file = NULL;
    uint64_t bytes = 0;
    size_t read_bytes = 0;
    uint8_t *text = NULL;
    nq_status status = NQ_OK;
    *out_text = (nq_bytes){0};
    NQ_TRY(nq_vfs_open(ctx, nq_vfs_posix(), path, NQ_OPEN_READ_ONLY, &file));
    NQ_CHECK(nq_file_size(ctx, file, &bytes));
    if (bytes > CONFIG_FILE_BYTES_MAX) {
        status = nq_fail(ctx, NQ_INVALID_ARGUMENT, "%s is larger than 1 MiB", path);
        goto done;
    }
    text = nq_arena_alloc(arena, (size_t)bytes + 1);
    if (text == NULL) {
        status = nq_fail_no_memory(ctx, "the configuration file");
        goto done;
    }
    NQ_CHECK(nq_file_read_at(ctx, file, 0, text, (size_t)bytes, &read_bytes));
    *out_text = nq_bytes_of(text, read_bytes);
done:
    nq_file_close(file);
    return status;
}

static void complain(const char *what, const nq_error *error) {
    fprintf(stderr, "neuroquantumd: %s: %s\n", what, error->message);
    if (error->hint[0] != '\0') {
        fprintf(stderr, "  %s\n", error->hint);
    }
}

static int exit_code_of(nq_app_stage stage) {
    switch (stage) {
    case NQ_STAGE_DATABASE:
        return EXIT_DATABASE;
    case NQ_STAGE_LISTEN:
        return EXIT_LISTEN;
    default:
        return EXIT_FAILED;
    }
}

static void greet(const nq_config *config, uint16_t port) {
    char host[NQ_CONFIG_HOST_BYTES], target[NQ_CONFIG_HOST_BYTES + 16];
    uint16_t asked_port = 0;
    (void)nq_config_split_address(config->listen, host, &asked_port);
    bool is_everywhere = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    const char *reachable = is_everywhere ? "localhost" : host;
    (void)snprintf(target, sizeof target, strchr(reachable, ':') != NULL ? "[%s]:%u" : "%s:%u",
                   reachable, port);
    printf("neuroquantumd %s serves %s on %s\n", nq_version(), config->data_dir, target);
    if (config->listen_unix[0] != '\0') {
        printf("and on unix:%s\n", config->listen_unix);
    }
    printf("\nTry, in another terminal:\n"
           "  nq --server %s -c 'SELECT 1 + 1 AS two'\n"
           "  grpcurl -plaintext %s list\n"
           "  grpcurl -plaintext -d '{\"statement\":{\"sql\":\"SELECT 1 + 1 AS two\"}}' %s "
           "neuroquantum.v1.QueryService/Execute\n\n"
           "Ctrl-C drains and stops.\n",
           target, target, target);
    fflush(stdout);
}

/* Called on any thread, by a client's Drain. */
static void request_drain(void *self, int64_t grace_ns) {
    process *p = self;
    atomic_store(&p->wanted_grace_ns, grace_ns);
    atomic_store(&p->is_drain_wanted, true);
    nq_signal_wake();
}

static void drain(void *self) {
    process *p = self;
    nq_app_drain(p->app, p->grace_ms);
    atomic_store(&p->is_drained, true);
    nq_signal_wake();
}

static void note(const char *what) {
    nq_event event;
    nq_event_begin(&event, NQ_EVENT_INFO, what);
    nq_event_end(&event);
}

/* Until somebody asks for the end. */
static void wait_for_end(process *p) {
    while (true) {
        switch (nq_signal_wait()) {
        case NQ_SIGNAL_TERMINATE:
            return;
        case NQ_SIGNAL_RELOAD:
            note("SIGHUP: every setting takes effect at the next start");
            break;
        case NQ_SIGNAL_WAKE:
            if (atomic_load(&p->is_drain_wanted)) {
                int64_t grace_ns = atomic_load(&p->wanted_grace_ns);
                p->grace_ms = grace_ns < 0 ? p->grace_ms : (uint32_t)(grace_ns / 1000000);
                return;
            }
            break;
        }
    }
}

/* Drains on a thread of its own, so that a second signal is heard meanwhile. */
static nq_status drain_and_listen(nq_ctx *ctx, process *p) {
    nq_thread thread;
    note("draining");
    NQ_TRY(nq_thread_start(ctx, &thread, "drain", drain, p));
    while (!atomic_load(&p->is_drained)) {
        if (nq_signal_wait() == NQ_SIGNAL_TERMINATE) {
            note("second signal: ending at once");
            nq_signal_exit_now(EXIT_FAILED);
        }
    }
    nq_thread_join(&thread);
    return NQ_OK;
}

static int serve(nq_ctx *ctx, const nq_config *config) {
    process p = {.grace_ms = (uint32_t)(config->drain_grace_us / 1000)};
    nq_app_stage stage = NQ_STAGE_START;
    if (nq_app_open(ctx, config, request_drain, &p, &p.app, &stage) != NQ_OK) {
        complain("cannot start", &ctx->error);
        return exit_code_of(stage);
    }
    greet(config, nq_app_port(p.app));
    wait_for_end(&p);
    nq_status drained = drain_and_listen(ctx, &p);
    nq_status closed = nq_app_close(ctx, p.app);
    if (drained != NQ_OK || closed != NQ_OK) {
        complain("while stopping", &ctx->error);
        return EXIT_FAILED;
    }
    note("stopped");
    return EXIT_DONE;
}

static void print_version(void) {
    char grpc[NQ_GRPC_VERSION_BYTES];
    nq_server_print_grpc_version(grpc);
    printf("neuroquantumd %s (%s, gRPC %s, %s)\n", nq_version(), nq_build(), grpc, nq_platform());
}

static int upgrade(nq_ctx *ctx, const nq_config *config) {
    nq_database_upgrade_result result;
    const char *directory = config->data_dir;
    if (nq_database_upgrade(ctx, nq_vfs_posix(), directory, config->storage_cache_bytes, &result) !=
        NQ_OK) {
        complain("cannot upgrade", &ctx->error);
        return EXIT_DATABASE;
    }
    if (!result.was_needed) {
        printf("%s is of this version's format already\n", directory);
        return EXIT_DONE;
    }
    printf("%s is upgraded: %llu entries, %llu commits from the log. The old files are in "
           "%s/format-1; remove them when you no longer want to go back.\n",
           directory, (unsigned long long)result.entries, (unsigned long long)result.commits,
           directory);
    return EXIT_DONE;
}

static void print_restored(const char *directory, const nq_database_restore_result *result) {
    char text[40];
    size_t bytes = nq_timestamp_print(result->time_us, text);
    printf("%s is restored: %llu commits from %llu archived and %llu other segments, to position "
           "%llu%s",
           directory, (unsigned long long)result->commits,
           (unsigned long long)result->archived_segments,
           (unsigned long long)result->other_segments, (unsigned long long)result->lsn,
           result->is_cut ? ", newer ones left out" : "");
    if (result->time_us != 0) {
        printf("; the last is of %.*s UTC", (int)bytes, text);
    }
    printf(".\nGive it a storage.log_archive of its own: it has a history of its own from here "
           "on.\n");
}

static int restore(nq_ctx *ctx, const nq_config *config) {
    nq_database_restore_options options = {.base = config->restore_base,
                                           .archive =
                                               nq_config_text_or_null(config->restore_archive),
                                           .log = nq_config_text_or_null(config->restore_log),
                                           .cache_bytes = config->storage_cache_bytes};
    nq_database_restore_result result;
    nq_status status = options.base[0] == '\0'
                           ? nq_fail(ctx, NQ_INVALID_ARGUMENT, "--restore needs --restore-base")
                           : nq_restore_until_parse(ctx, config->restore_until, &options);
    if (status != NQ_OK) {
        complain("configuration", &ctx->error);
        return EXIT_CONFIG;
    }
    if (nq_database_restore(ctx, nq_vfs_posix(), config->data_dir, &options, &result) != NQ_OK) {
        complain("cannot restore", &ctx->error);
        return EXIT_DATABASE;
    }
    print_restored(config->data_dir, &result);
    return EXIT_DONE;
}

static int run_command(nq_ctx *ctx, const nq_config *config, nq_config_command command) {
    switch (command) {
    case NQ_COMMAND_HELP:
        nq_config_print_help(stdout);
        return EXIT_DONE;
    case NQ_COMMAND_VERSION:
        print_version();
        return EXIT_DONE;
    case NQ_COMMAND_CHECK:
        nq_config_print_effective(config, stdout);
        return EXIT_DONE;
    case NQ_COMMAND_UPGRADE:
        return upgrade(ctx, config);
    case NQ_COMMAND_RESTORE:
        return restore(ctx, config);
    case NQ_COMMAND_PRINT_DEFAULT:
        nq_config_print_defaults(stdout);
        return EXIT_DONE;
    case NQ_COMMAND_PRINT_REFERENCE:
        nq_config_print_reference(stdout);
        return EXIT_DONE;
    default:
        nq_event_configure(config->log_level, config->log_format);
        return serve(ctx, config);
    }
}

int main(int argument_count, char **arguments) {
    nq_arena arena;
    nq_ctx ctx;
    nq_config config;
    nq_config_command command = NQ_COMMAND_RUN;
    int exit_code = EXIT_CONFIG;
    nq_signal_block();
    nq_heap_tune_for_server();
    nq_arena_init(&arena, 8 << 20);
    nq_ctx_init(&ctx, &arena);
    const nq_config_sources sources = {
        .arguments = (const char *const *)(argument_count > 0 ? arguments + 1 : arguments),
        .environment = (const char *const *)environ,
        .read_file = read_file,
    };
    if (nq_config_load(&ctx, &arena, &sources, &config, &command) == NQ_OK) {
        exit_code = run_command(&ctx, &config, command);
    } else {
        complain("configuration", &ctx.error);
    }
    nq_arena_deinit(&arena);
    return exit_code;
}
