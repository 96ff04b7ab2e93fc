/* Settings: which source wins, and that every mistake is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/config/config.h"

typedef struct config_fixture {
    nq_arena arena;
    nq_ctx ctx;
    nq_config config;
    nq_config_command command;
} config_fixture;

static const char *file_text = "";

static nq_status read_file(nq_ctx *ctx, nq_arena *arena, const char *path, nq_bytes *out_text) {
    (void)arena;
    if (strcmp(path, "missing") == 0) {
        return nq_fail(ctx, NQ_IO_ERROR, "no such file");
    }
    *out_text = nq_bytes_of_cstr(file_text);
    return NQ_OK;
}

static nq_status load(config_fixture *f, const char *const *arguments,
                      const char *const *environment) {
    static const char *const none[] = {NULL};
    const nq_config_sources sources = {arguments == NULL ? none : arguments, environment,
                                       read_file};
    return nq_config_load(&f->ctx, &f->arena, &sources, &f->config, &f->command);
}

static int set_up(void **state) {
    config_fixture *f = calloc(1, sizeof *f);
    nq_arena_init(&f->arena, 8 << 20);
    nq_ctx_init(&f->ctx, &f->arena);
    file_text = "";
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    config_fixture *f = *state;
    nq_arena_deinit(&f->arena);
    free(f);
    return 0;
}

static void every_default_is_within_its_own_range(void **state) {
    config_fixture *f = *state;
    assert_int_equal(nq_config_init(&f->ctx, &f->arena, &f->config), NQ_OK);
    assert_string_equal(f->config.listen, "127.0.0.1:50051");
    assert_true(f->config.storage_cache_bytes == 64 << 20);
    assert_true(f->config.statement_timeout_us == 300000000);
    assert_string_equal(f->config.log_level, "info");
    assert_false(f->config.log_access);
}

static void a_flag_beats_the_environment_beats_the_file_beats_the_default(void **state) {
    config_fixture *f = *state;
    file_text = "storage:\n  cache: 1GiB\n  checkpoint_log: 32MiB\nlimits:\n  transactions: 7\n";
    const char *const environment[] = {"PATH=/bin", "NEUROQUANTUM_STORAGE_CACHE=2GiB",
                                       "NEUROQUANTUM_LIMITS_TRANSACTIONS=8",
                                       "NEUROQUANTUM_CONFIG=nq.yaml", NULL};
    const char *const arguments[] = {"--limits-transactions", "9", NULL};
    assert_int_equal(load(f, arguments, environment), NQ_OK);
    assert_true(f->config.storage_checkpoint_log_bytes == 32 << 20);
    assert_true(f->config.storage_cache_bytes == (uint64_t)2 << 30);
    assert_int_equal(f->config.limit_transactions, 9);
    assert_int_equal(f->config.sources[NQ_SETTING_INDEX_limit_transactions], NQ_SOURCE_FLAG);
    assert_int_equal(f->config.sources[NQ_SETTING_INDEX_storage_cache_bytes],
                     NQ_SOURCE_ENVIRONMENT);
    assert_int_equal(f->config.sources[NQ_SETTING_INDEX_storage_checkpoint_log_bytes],
                     NQ_SOURCE_FILE);
    assert_int_equal(f->config.sources[NQ_SETTING_INDEX_listen], NQ_SOURCE_DEFAULT);
}

static void the_config_flag_beats_the_config_variable(void **state) {
    config_fixture *f = *state;
    const char *const environment[] = {"NEUROQUANTUM_CONFIG=missing", NULL};
    const char *const arguments[] = {"--config=there.yaml", NULL};
    assert_int_equal(load(f, NULL, environment), NQ_IO_ERROR);
    assert_int_equal(load(f, arguments, environment), NQ_OK);
}

static void assert_refused(config_fixture *f, const char *const *arguments,
                           const char *const *environment, const char *message_part,
                           const char *hint_part) {
    assert_int_equal(load(f, arguments, environment), NQ_INVALID_ARGUMENT);
    if (strstr(f->ctx.error.message, message_part) == NULL ||
        strstr(f->ctx.error.hint, hint_part) == NULL) {
        print_error("message: %s\nhint: %s\n", f->ctx.error.message, f->ctx.error.hint);
    }
    assert_non_null(strstr(f->ctx.error.message, message_part));
    assert_non_null(strstr(f->ctx.error.hint, hint_part));
}

static void an_unknown_flag_suggests_the_nearest(void **state) {
    config_fixture *f = *state;
    const char *const slip[] = {"--storage-cahce=1GiB", NULL};
    const char *const word[] = {"--completely-different-thing", "1", NULL};
    const char *const bare[] = {"serve", NULL};
    const char *const cut[] = {"--storage-cache", NULL};
    assert_refused(f, slip, NULL, "--storage-cahce", "Did you mean --storage-cache?");
    assert_refused(f, word, NULL, "--completely-different-thing", "");
    assert_refused(f, bare, NULL, "\"serve\" is not a flag", "");
    assert_refused(f, cut, NULL, "needs a value", "");
}

static void an_unknown_variable_suggests_the_nearest(void **state) {
    config_fixture *f = *state;
    const char *const slip[] = {"NEUROQUANTUM_LISTN=x", NULL};
    assert_refused(f, NULL, slip, "NEUROQUANTUM_LISTN", "NEUROQUANTUM_LISTEN?");
}

static void what_kubernetes_says_about_a_service_of_our_name_is_not_for_us(void **state) {
    config_fixture *f = *state;
    const char *const links[] = {
        "NEUROQUANTUM_SERVICE_HOST=10.0.0.1",        "NEUROQUANTUM_SERVICE_PORT=50051",
        "NEUROQUANTUM_SERVICE_PORT_GRPC=50051",      "NEUROQUANTUM_PORT=tcp://10.0.0.1:50051",
        "NEUROQUANTUM_PORT_50051_TCP_ADDR=10.0.0.1", NULL};
    assert_int_equal(load(f, NULL, links), NQ_OK);
}

static void the_file_names_its_mistakes_with_their_line(void **state) {
    config_fixture *f = *state;
    const char *const arguments[] = {"--config", "nq.yaml", NULL};
    static const struct {
        const char *text, *message, *hint;
    } files[] = {
        {"storage:\n  cahce: 1GiB\n", "nq.yaml:2: storage.cahce: there is no such setting",
         "storage.cache"},
        {"storage: 5\n", "nq.yaml:1: storage: there is no such setting", ""},
        {"storage:\n  cache: [1]\n", "nq.yaml:2: a value or a mapping is expected here", ""},
        {"- listen\n", "nq.yaml:1: settings are expected here", ""},
        {"listen: 'a:1'\nlisten: 'b:2'\n", "nq.yaml:2: the setting is given twice", ""},
        {"listen: 'a:1'\n---\nlisten: 'b:2'\n", "second document", ""},
        {"listen: &x 'a:1'\n", "nq.yaml:1: a value or a mapping is expected here", ""},
        {"listen: \"unfinished\n", "nq.yaml:", ""},
        {"log:\n  level: loud\n",
         "nq.yaml:2: log.level: \"loud\" is not one of debug|info|warn|error", ""},
        {"log:\n  access: maybe\n", "is neither true nor false", ""},
        {"storage:\n  cache: 1KiB\n", "is not between 1MiB and 1TiB", ""},
        {"storage:\n  cache: 1MB\n", "has an unknown unit", ""},
        {"statement:\n  timeout: 30\n", "needs a unit", ""},
        {"limits:\n  calls: 99999999999999999999\n", "is too large", ""},
        {"limits:\n  calls: -1\n", "is not a number", ""},
        {"listen: 50051\n", "is not host:port", "[::1]:50051"},
        {"listen: '::1:50051'\n", "is not host:port", ""},
        {"listen: 'a:70000'\n", "is not host:port", ""},
        {"a:\n  b:\n    c:\n      d:\n        e:\n          f: 1\n", "nested too deeply", ""},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        file_text = files[i].text;
        assert_refused(f, arguments, NULL, files[i].message, files[i].hint);
    }
}

static void an_empty_file_changes_nothing(void **state) {
    config_fixture *f = *state;
    const char *const arguments[] = {"--config", "nq.yaml", NULL};
    file_text = "# nothing here\n";
    assert_int_equal(load(f, arguments, NULL), NQ_OK);
    assert_string_equal(f->config.listen, "127.0.0.1:50051");
}

static void a_bare_boolean_flag_is_true(void **state) {
    config_fixture *f = *state;
    const char *const arguments[] = {"--log-access", "--log-level", "debug", NULL};
    const char *const off[] = {"--log-access=false", NULL};
    assert_int_equal(load(f, arguments, NULL), NQ_OK);
    assert_true(f->config.log_access);
    assert_string_equal(f->config.log_level, "debug");
    assert_int_equal(load(f, off, NULL), NQ_OK);
    assert_false(f->config.log_access);
}

static void commands_are_found_wherever_they_stand(void **state) {
    config_fixture *f = *state;
    const char *const help[] = {"--nonsense", "--help", NULL};
    const char *const check[] = {"--check-config", "--listen", ":1", NULL};
    assert_int_equal(load(f, help, NULL), NQ_OK);
    assert_int_equal(f->command, NQ_COMMAND_HELP);
    assert_int_equal(load(f, check, NULL), NQ_OK);
    assert_int_equal(f->command, NQ_COMMAND_CHECK);
    assert_string_equal(f->config.listen, ":1");
    const char *const upgrade[] = {"--data-dir", "old", "--upgrade", NULL};
    assert_int_equal(load(f, upgrade, NULL), NQ_OK);
    assert_int_equal(f->command, NQ_COMMAND_UPGRADE);
    assert_string_equal(f->config.data_dir, "old");
}

static void addresses_are_split_into_host_and_port(void **state) {
    (void)state;
    static const struct {
        const char *address, *host;
        uint16_t port;
    } cases[] = {{"127.0.0.1:50051", "127.0.0.1", 50051},
                 {"[::1]:0", "::1", 0},
                 {":8080", "::", 8080},
                 {"db.local:65535", "db.local", 65535}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char host[NQ_CONFIG_HOST_BYTES];
        uint16_t port = 0;
        assert_true(nq_config_split_address(cases[i].address, host, &port));
        assert_string_equal(host, cases[i].host);
        assert_int_equal(port, cases[i].port);
    }
}

/* What --print-default-config prints is itself a file that changes nothing. */
static void the_printed_defaults_load_to_the_defaults(void **state) {
    config_fixture *f = *state;
    const char *const arguments[] = {"--config", "nq.yaml", NULL};
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    nq_config_print_defaults(file);
    fclose(file);
    file_text = text;
    nq_status status = load(f, arguments, NULL);
    if (status != NQ_OK) {
        print_error("%s\n", f->ctx.error.message);
    }
    assert_int_equal(status, NQ_OK);
    for (size_t i = 0; i < NQ_SETTING_TOTAL; i++) {
        char value[NQ_SETTING_VALUE_BYTES], fresh[NQ_SETTING_VALUE_BYTES];
        nq_config defaults;
        assert_int_equal(f->config.sources[i], NQ_SOURCE_FILE);
        assert_int_equal(nq_config_init(&f->ctx, &f->arena, &defaults), NQ_OK);
        nq_setting_print(&f->config, &nq_settings[i], value);
        nq_setting_print(&defaults, &nq_settings[i], fresh);
        assert_string_equal(value, fresh);
    }
    free(text);
}

static void the_reference_in_the_docs_is_fresh(void **state) {
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    nq_config_print_reference(file);
    fclose(file);
    FILE *kept = fopen("docs/reference/config.md", "r");
    assert_non_null(kept);
    char *have = calloc(1, bytes + 2);
    size_t have_bytes = fread(have, 1, bytes + 1, kept);
    fclose(kept);
    assert_int_equal(have_bytes, bytes);
    assert_memory_equal(have, text, bytes);
    free(have);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_default_is_within_its_own_range, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_flag_beats_the_environment_beats_the_file_beats_the_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_config_flag_beats_the_config_variable, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_flag_suggests_the_nearest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_variable_suggests_the_nearest, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            what_kubernetes_says_about_a_service_of_our_name_is_not_for_us, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_file_names_its_mistakes_with_their_line, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_empty_file_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bare_boolean_flag_is_true, set_up, tear_down),
        cmocka_unit_test_setup_teardown(commands_are_found_wherever_they_stand, set_up, tear_down),
        cmocka_unit_test(addresses_are_split_into_host_and_port),
        cmocka_unit_test_setup_teardown(the_printed_defaults_load_to_the_defaults, set_up,
                                        tear_down),
        cmocka_unit_test(the_reference_in_the_docs_is_fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
