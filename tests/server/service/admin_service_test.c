/* AdminService over the real engine, without a network. */
#include "server/service/admin_service_internal.h"
#include "tests/server/service/service_fixture.h"

static void the_server_says_what_it_is(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__GetServerInfoRequest request =
        NEUROQUANTUM__V1__GET_SERVER_INFO_REQUEST__INIT;
    memset(f->service.server_id, 0xab, sizeof f->service.server_id);
    Neuroquantum__V1__GetServerInfoResponse *have =
        CALL(f, "GetServerInfo", &request, get_server_info_response);
    assert_non_null(have);
    assert_string_equal(have->version, "0.1.0");
    assert_string_equal(have->server_id, "abababababababababababababababab");
    assert_non_null(strstr(have->build, "gRPC 1.51 (core 29."));
    bool has_limit = false;
    for (size_t i = 0; i < have->n_limits; i++) {
        has_limit |=
            strcmp(have->limits[i]->key, "transactions_max") == 0 && have->limits[i]->value == 4;
    }
    assert_true(has_limit);
    wire_free(have);
}

static void the_configuration_is_told_by_key(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__GetConfigRequest request = NEUROQUANTUM__V1__GET_CONFIG_REQUEST__INIT;
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    char *paths[] = {(char *)"limits.transactions"};
    Neuroquantum__V1__GetConfigResponse *have = CALL(f, "GetConfig", &request, get_config_response);
    assert_int_equal(have->n_values, NQ_SETTING_TOTAL);
    wire_free(have);
    request.read_mask = &mask;
    mask.n_paths = 1;
    mask.paths = paths;
    have = CALL(f, "GetConfig", &request, get_config_response);
    assert_int_equal(have->n_values, 1);
    assert_string_equal(have->values[0]->value, "4");
    wire_free(have);
    paths[0] = (char *)"limits.transaction";
    assert_null(CALL(f, "GetConfig", &request, get_config_response));
    assert_int_equal(f->code, NQ_RPC_INVALID_ARGUMENT);
}

static void a_checkpoint_writes_pages(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__CheckpointRequest request = NEUROQUANTUM__V1__CHECKPOINT_REQUEST__INIT;
    service_do(f, "CREATE TABLE t (id INTEGER)");
    service_do(f, "INSERT INTO t VALUES (1)");
    Neuroquantum__V1__CheckpointResponse *have =
        CALL(f, "Checkpoint", &request, checkpoint_response);
    assert_non_null(have);
    assert_true(have->lsn > 0);
    assert_non_null(have->duration);
    wire_free(have);
}

static void killing_what_does_not_run_finds_nothing(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__KillQueryRequest request = NEUROQUANTUM__V1__KILL_QUERY_REQUEST__INIT;
    request.query_id = (char *)"none";
    Neuroquantum__V1__KillQueryResponse *have = CALL(f, "KillQuery", &request, kill_query_response);
    assert_false(have->found);
    wire_free(have);
}

static void no_query_runs_when_none_does(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__ListQueriesRequest request = NEUROQUANTUM__V1__LIST_QUERIES_REQUEST__INIT;
    Neuroquantum__V1__ListQueriesResponse *have =
        CALL(f, "ListQueries", &request, list_queries_response);
    assert_int_equal(have->n_queries, 0);
    wire_free(have);
    request.page_token = (char *)"not a number";
    assert_null(CALL(f, "ListQueries", &request, list_queries_response));
    assert_string_equal(f->reason, "BAD_TOKEN");
}

static void methods_of_later_versions_have_no_handler(void **state) {
    (void)state;
    static const char *const later[] = {"Vacuum", "CreateBackup", "TailLogs", "WatchStats",
                                        "UpdateConfig"};
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        assert_null(service_method(later[i])->handler);
    }
}

/* What a pattern must match is what SQL's LIKE without an escape matches. */
static void names_are_matched_like_sql_does(void **state) {
    (void)state;
    static const struct {
        const char *name, *pattern;
        bool want;
    } cases[] = {
        {"", "", true},        {"", "%", true},      {"a", "", false},
        {"a", "_", true},      {"abc", "a%", true},  {"abc", "%c", true},
        {"abc", "%b%", true},  {"abc", "a_c", true}, {"abc", "a_", false},
        {"abc", "%d%", false}, {"aab", "%ab", true}, {"ababab", "%ab%ab", true},
        {"abc", "%%%", true},  {"abc", "___", true}, {"abc", "____", false},
        {"a%b", "a%b", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(
            nq__name_is_like(nq_bytes_of_cstr(cases[i].name), nq_bytes_of_cstr(cases[i].pattern)),
            cases[i].want);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(the_server_says_what_it_is),
        SERVICE_TEST(the_configuration_is_told_by_key),
        SERVICE_TEST(a_checkpoint_writes_pages),
        SERVICE_TEST(killing_what_does_not_run_finds_nothing),
        SERVICE_TEST(no_query_runs_when_none_does),
        cmocka_unit_test(methods_of_later_versions_have_no_handler),
        cmocka_unit_test(names_are_matched_like_sql_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
