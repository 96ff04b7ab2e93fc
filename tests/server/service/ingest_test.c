/* Ingest over the real engine: rows arrive once, in transactions, and a cut load resumes. */
#include <stdlib.h>

#include "tests/server/service/service_fixture.h"

typedef struct load {
    service_fixture *f;
    nq_fake_call *call;
} load;

static load open_load(service_fixture *f) {
    static const nq_fake_options options = {.encode_error = nq_status_details_encode};
    load l = {.f = f};
    l.call = nq_fake_call_open(service_method("Ingest"), &f->service, &options);
    nq_fake_call_run(l.call);
    return l;
}

static void send_request(load *l, Neuroquantum__V1__IngestRequest *request) {
    size_t bytes = neuroquantum__v1__ingest_request__get_packed_size(request);
    uint8_t *packed = malloc(bytes + 1);
    neuroquantum__v1__ingest_request__pack(request, packed);
    nq_fake_call_send(l->call, nq_bytes_of(packed, bytes));
    nq_fake_call_run(l->call);
    free(packed);
}

static void send_header(load *l, const char *table, const char *id, uint32_t rows_per_transaction,
                        bool upsert) {
    Neuroquantum__V1__IngestRequest request = NEUROQUANTUM__V1__INGEST_REQUEST__INIT;
    Neuroquantum__V1__IngestHeader header = NEUROQUANTUM__V1__INGEST_HEADER__INIT;
    header.table = (char *)table;
    header.ingest_id = (char *)id;
    header.rows_per_transaction = rows_per_transaction;
    header.upsert = upsert;
    request.message_case = NEUROQUANTUM__V1__INGEST_REQUEST__MESSAGE_HEADER;
    request.header = &header;
    send_request(l, &request);
}

/* Rows (first … first + count) of a table (id INTEGER, name TEXT), as a column batch. */
static void send_columns(load *l, uint64_t offset, int32_t first, uint32_t count) {
    Neuroquantum__V1__IngestRequest request = NEUROQUANTUM__V1__INGEST_REQUEST__INIT;
    Neuroquantum__V1__ColumnBatch batch = NEUROQUANTUM__V1__COLUMN_BATCH__INIT;
    Neuroquantum__V1__Column ids = NEUROQUANTUM__V1__COLUMN__INIT;
    Neuroquantum__V1__Column names = NEUROQUANTUM__V1__COLUMN__INIT;
    Neuroquantum__V1__Column *columns[] = {&ids, &names};
    int32_t *numbers = calloc(count, 4), *offsets = calloc(count + 1, 4);
    char *text = calloc(count, 2);
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = first + (int32_t)i;
        text[2 * i] = 'n';
        text[2 * i + 1] = (char)('0' + numbers[i] % 10);
        offsets[i + 1] = 2 * (int32_t)(i + 1);
    }
    ids.data = (ProtobufCBinaryData){4 * (size_t)count, (uint8_t *)numbers};
    names.data = (ProtobufCBinaryData){2 * (size_t)count, (uint8_t *)text};
    names.offsets = (ProtobufCBinaryData){4 * ((size_t)count + 1), (uint8_t *)offsets};
    batch.row_count = count;
    batch.n_columns = 2;
    batch.columns = columns;
    request.message_case = NEUROQUANTUM__V1__INGEST_REQUEST__MESSAGE_COLUMN_BATCH;
    request.column_batch = &batch;
    request.offset = offset;
    send_request(l, &request);
    free(numbers);
    free(offsets);
    free(text);
}

/* Half-closes and unpacks the answer; NULL when the load failed. */
static Neuroquantum__V1__IngestResponse *end_load(load *l) {
    Neuroquantum__V1__IngestResponse *answer = NULL;
    if (!nq_fake_call_has_status(l->call)) {
        nq_fake_call_half_close(l->call);
        nq_fake_call_run(l->call);
    }
    service_note_end(l->f, l->call);
    if (l->f->code == NQ_RPC_OK) {
        nq_bytes message = nq_fake_call_message(l->call, 0);
        answer = neuroquantum__v1__ingest_response__unpack(NULL, message.size, message.data);
        assert_non_null(answer);
    }
    nq_fake_call_close(l->call);
    return answer;
}

static void make_table(service_fixture *f) {
    service_do(f, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)");
}

static void rows_are_committed_and_counted(void **state) {
    service_fixture *f = *state;
    make_table(f);
    load l = open_load(f);
    send_header(&l, "t", "", 0, false);
    send_columns(&l, 0, 0, 3000);
    send_columns(&l, 3000, 3000, 10);
    Neuroquantum__V1__IngestResponse *have = end_load(&l);
    assert_non_null(have);
    assert_int_equal(have->rows_committed, 3010);
    assert_int_equal(have->next_offset, 3010);
    assert_int_equal(have->rows_skipped_duplicate, 0);
    assert_true(have->commit_lsn > 0);
    wire_free(have);
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 3010);
    assert_int_equal(service_int(f, "SELECT count(*) FROM t WHERE name = 'n7'"), 301);
}

static void a_cut_load_keeps_whole_transactions_and_resumes(void **state) {
    service_fixture *f = *state;
    make_table(f);
    load l = open_load(f);
    send_header(&l, "t", "load-1", 100, false);
    send_columns(&l, 0, 0, 250);
    nq_fake_call_go_away(l.call);
    nq_fake_call_run(l.call);
    nq_fake_call_close(l.call);
    /* The last, short transaction may or may not have been committed: the offset knows. */
    int64_t durable = service_int(f, "SELECT count(*) FROM t");
    assert_true(durable == 200 || durable == 250);
    service_restart(f);
    /* The header alone tells where to go on. */
    l = open_load(f);
    send_header(&l, "t", "load-1", 100, false);
    Neuroquantum__V1__IngestResponse *have = end_load(&l);
    assert_int_equal(have->next_offset, durable);
    assert_int_equal(have->rows_committed, 0);
    wire_free(have);
    /* Or everything is sent again, and what is there is dropped. */
    l = open_load(f);
    send_header(&l, "t", "load-1", 100, false);
    send_columns(&l, 0, 0, 150);
    send_columns(&l, 150, 150, 150);
    have = end_load(&l);
    assert_non_null(have);
    assert_int_equal(have->rows_skipped_duplicate, durable);
    assert_int_equal(have->rows_committed, 300 - durable);
    assert_int_equal(have->next_offset, 300);
    wire_free(have);
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 300);
    assert_int_equal(service_int(f, "SELECT max(id) FROM t"), 299);
}

static void an_error_keeps_the_transactions_before_it(void **state) {
    service_fixture *f = *state;
    make_table(f);
    load l = open_load(f);
    send_header(&l, "t", "", 100, false);
    send_columns(&l, 0, 0, 150);
    send_columns(&l, 150, 0, 10); /* ids that exist */
    assert_null(end_load(&l));
    assert_int_equal(f->code, NQ_RPC_ALREADY_EXISTS);
    assert_string_equal(f->reason, "UNIQUE_VIOLATION");
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 100);
}

static void upsert_replaces_rows_that_exist(void **state) {
    service_fixture *f = *state;
    make_table(f);
    service_do(f, "INSERT INTO t VALUES (3, 'old')");
    load l = open_load(f);
    send_header(&l, "t", "", 0, true);
    send_columns(&l, 0, 0, 10);
    Neuroquantum__V1__IngestResponse *have = end_load(&l);
    assert_non_null(have);
    wire_free(have);
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 10);
    assert_int_equal(service_int(f, "SELECT count(*) FROM t WHERE name = 'old'"), 0);
}

static void a_hole_in_the_offsets_is_refused(void **state) {
    service_fixture *f = *state;
    make_table(f);
    load l = open_load(f);
    send_header(&l, "t", "", 0, false);
    send_columns(&l, 5, 0, 10);
    assert_null(end_load(&l));
    assert_int_equal(f->code, NQ_RPC_INVALID_ARGUMENT);
    l = open_load(f);
    send_header(&l, "t", "", 0, false);
    send_columns(&l, 0, 0, 10);
    send_columns(&l, 5, 5, 10);
    assert_null(end_load(&l));
    assert_int_equal(f->code, NQ_RPC_INVALID_ARGUMENT);
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 0);
}

static void the_header_comes_first_and_once(void **state) {
    service_fixture *f = *state;
    make_table(f);
    load l = open_load(f);
    assert_null(end_load(&l));
    assert_int_equal(f->code, NQ_RPC_INVALID_ARGUMENT);
    l = open_load(f);
    send_columns(&l, 0, 0, 10);
    assert_null(end_load(&l));
    assert_int_equal(f->code, NQ_RPC_INVALID_ARGUMENT);
    l = open_load(f);
    send_header(&l, "t", "", 0, false);
    send_header(&l, "t", "", 0, false);
    assert_null(end_load(&l));
    assert_int_equal(f->code, NQ_RPC_INVALID_ARGUMENT);
    l = open_load(f);
    send_header(&l, "nowhere", "", 0, false);
    assert_null(end_load(&l));
    assert_string_equal(f->reason, "TABLE_NOT_FOUND");
}

static void named_columns_may_be_fewer_and_must_exist(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__IngestRequest request = NEUROQUANTUM__V1__INGEST_REQUEST__INIT;
    Neuroquantum__V1__IngestHeader header = NEUROQUANTUM__V1__INGEST_HEADER__INIT;
    Neuroquantum__V1__ColumnMeta name = NEUROQUANTUM__V1__COLUMN_META__INIT;
    Neuroquantum__V1__ColumnMeta id = NEUROQUANTUM__V1__COLUMN_META__INIT;
    Neuroquantum__V1__ColumnMeta *columns[] = {&id, &name};
    service_do(f, "CREATE TABLE t (name TEXT, other TEXT DEFAULT 'd', id INTEGER PRIMARY KEY)");
    id.name = (char *)"id";
    name.name = (char *)"name";
    header.table = (char *)"t";
    header.n_columns = 2;
    header.columns = columns;
    request.message_case = NEUROQUANTUM__V1__INGEST_REQUEST__MESSAGE_HEADER;
    request.header = &header;
    load l = open_load(f);
    send_request(&l, &request);
    send_columns(&l, 0, 0, 10);
    Neuroquantum__V1__IngestResponse *have = end_load(&l);
    assert_non_null(have);
    wire_free(have);
    assert_int_equal(service_int(f, "SELECT count(*) FROM t WHERE other = 'd' AND name = 'n4'"), 1);
    name.name = (char *)"nonsense";
    l = open_load(f);
    send_request(&l, &request);
    assert_null(end_load(&l));
    assert_string_equal(f->reason, "UNKNOWN_COLUMN");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(rows_are_committed_and_counted),
        SERVICE_TEST(a_cut_load_keeps_whole_transactions_and_resumes),
        SERVICE_TEST(an_error_keeps_the_transactions_before_it),
        SERVICE_TEST(upsert_replaces_rows_that_exist),
        SERVICE_TEST(a_hole_in_the_offsets_is_refused),
        SERVICE_TEST(the_header_comes_first_and_once),
        SERVICE_TEST(named_columns_may_be_fewer_and_must_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
