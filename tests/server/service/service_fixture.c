/* Service fixture. */
#include "tests/server/service/service_fixture.h"

#include <stdlib.h>

static void open_all(service_fixture *f) {
    const nq_config *config = &f->config;
    nq_database_options options = {.statement_bytes_max = 64 << 20};
    assert_int_equal(
        nq_database_open(&f->ctx, nq_sim_vfs_as_vfs(f->disk), "db", &options, &f->service.database),
        NQ_OK);
    assert_int_equal(nq_query_registry_create(&f->ctx, &f->service.queries), NQ_OK);
    assert_int_equal(nq_transaction_registry_create(
                         &f->ctx, f->service.database, (uint32_t)config->limit_transactions,
                         (int64_t)config->transaction_idle_timeout_us * 1000,
                         &f->service.transactions),
                     NQ_OK);
    assert_int_equal(nq_prepared_registry_create(&f->ctx, (uint32_t)config->limit_prepared,
                                                 (int64_t)config->prepared_ttl_us * 1000,
                                                 &f->service.prepared),
                     NQ_OK);
}

static void close_all(service_fixture *f) {
    nq_prepared_registry_destroy(f->service.prepared);
    nq_transaction_registry_destroy(f->service.transactions);
    nq_query_registry_destroy(f->service.queries);
    assert_int_equal(nq_database_close(&f->ctx, f->service.database), NQ_OK);
}

int service_set_up(void **state) {
    service_fixture *f = calloc(1, sizeof *f);
    nq_sim_options options = {.seed = 1};
    nq_arena_init(&f->arena, 64 << 20);
    nq_ctx_init(&f->ctx, &f->arena);
    assert_int_equal(nq_sim_vfs_create(&f->ctx, &options, &f->disk), NQ_OK);
    assert_int_equal(nq_config_init(&f->ctx, &f->arena, &f->config), NQ_OK);
    f->config.limit_transactions = 4;
    f->config.limit_prepared = 4;
    f->config.limit_response_bytes = 64 << 10;
    f->service.config = &f->config;
    open_all(f);
    *state = f;
    return 0;
}

int service_tear_down(void **state) {
    service_fixture *f = *state;
    close_all(f);
    wire_free(f->status);
    nq_sim_vfs_destroy(f->disk);
    nq_arena_deinit(&f->arena);
    free(f);
    return 0;
}

void service_restart(service_fixture *f) {
    close_all(f);
    open_all(f);
}

const nq_method *service_method(const char *name) {
    static const nq_method *(*const tables[])(size_t *) = {
        nq_query_service_methods, nq_admin_service_methods, nq_stream_service_methods,
        nq_pubsub_service_methods};
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        size_t count = 0;
        const nq_method *methods = tables[t](&count);
        for (size_t i = 0; i < count; i++) {
            if (strcmp(strrchr(methods[i].path, '/') + 1, name) == 0) {
                return &methods[i];
            }
        }
    }
    fail_msg("no method %s", name);
    return NULL;
}

void service_note_end(service_fixture *f, nq_fake_call *call) {
    assert_true(nq_fake_call_has_status(call));
    wire_free(f->status);
    f->status = NULL;
    f->reason[0] = '\0';
    f->code = nq_fake_call_code(call);
    strncpy(f->text, nq_fake_call_text(call), sizeof f->text - 1);
    nq_bytes details = nq_fake_call_details(call);
    if (f->code == NQ_RPC_OK || details.size == 0) {
        return;
    }
    f->status = google__rpc__status__unpack(NULL, details.size, details.data);
    assert_non_null(f->status);
    Google__Rpc__ErrorInfo *info = google__rpc__error_info__unpack(
        NULL, f->status->details[0]->value.len, f->status->details[0]->value.data);
    strncpy(f->reason, info->reason, sizeof f->reason - 1);
    wire_free(info);
}

void *service_call(service_fixture *f, const char *method, const ProtobufCMessage *request,
                   const ProtobufCMessageDescriptor *response) {
    void *answer = NULL;
    size_t bytes = protobuf_c_message_get_packed_size(request);
    uint8_t *packed = malloc(bytes + 1);
    protobuf_c_message_pack(request, packed);
    const nq_fake_options options = {.encode_error = nq_status_details_encode};
    nq_fake_call *call = nq_fake_call_open(service_method(method), &f->service, &options);
    nq_fake_call_send(call, nq_bytes_of(packed, bytes));
    nq_fake_call_run(call);
    service_note_end(f, call);
    if (f->code == NQ_RPC_OK) {
        nq_bytes message = nq_fake_call_message(call, 0);
        answer =
            protobuf_c_message_unpack(response, NULL, message.size,
                                      message.data == NULL ? (const uint8_t *)"" : message.data);
        assert_non_null(answer);
    }
    nq_fake_call_close(call);
    free(packed);
    return answer;
}

Neuroquantum__V1__ExecuteResponse *service_sql_in(service_fixture *f,
                                                  const ProtobufCBinaryData *transaction_id,
                                                  const char *sql) {
    Neuroquantum__V1__ExecuteRequest request = NEUROQUANTUM__V1__EXECUTE_REQUEST__INIT;
    Neuroquantum__V1__Statement statement = NEUROQUANTUM__V1__STATEMENT__INIT;
    Neuroquantum__V1__TransactionSelector selector = NEUROQUANTUM__V1__TRANSACTION_SELECTOR__INIT;
    statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
    statement.sql = (char *)sql;
    request.statement = &statement;
    if (transaction_id != NULL) {
        selector.selector_case = NEUROQUANTUM__V1__TRANSACTION_SELECTOR__SELECTOR_TRANSACTION_ID;
        selector.transaction_id = *transaction_id;
        request.transaction = &selector;
    }
    return CALL(f, "Execute", &request, execute_response);
}

Neuroquantum__V1__ExecuteResponse *service_sql(service_fixture *f, const char *sql) {
    return service_sql_in(f, NULL, sql);
}

void service_do(service_fixture *f, const char *sql) {
    Neuroquantum__V1__ExecuteResponse *response = service_sql(f, sql);
    if (response == NULL) {
        print_error("%s: %s\n", sql, f->text);
    }
    assert_non_null(response);
    wire_free(response);
}

int64_t service_int(service_fixture *f, const char *sql) {
    Neuroquantum__V1__ExecuteResponse *response = service_sql(f, sql);
    if (response == NULL) {
        print_error("%s: %s\n", sql, f->text);
    }
    assert_non_null(response);
    assert_int_equal(response->result_case, NEUROQUANTUM__V1__EXECUTE_RESPONSE__RESULT_ROWS);
    assert_true(response->rows->n_rows > 0);
    int64_t value = response->rows->rows[0]->values[0]->int_value;
    wire_free(response);
    return value;
}
