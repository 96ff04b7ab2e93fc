/* Transactions between calls: one user at a time, ended when idle, ids that cannot be guessed. */
#include "engine/ground/os/clock.h"
#include "engine/ground/os/thread.h"
#include "tests/server/service/service_fixture.h"

static nq_open_transaction *begin(service_fixture *f, nq_transaction_registry *registry,
                                  int64_t idle_ns) {
    nq_transaction_options options = {0};
    nq_open_transaction *open = NULL;
    assert_int_equal(nq_transaction_registry_begin(&f->ctx, registry, &options, idle_ns, &open),
                     NQ_OK);
    return open;
}

static void one_call_at_a_time_uses_a_transaction(void **state) {
    service_fixture *f = *state;
    nq_transaction_registry *registry = f->service.transactions;
    nq_open_transaction *open = begin(f, registry, 0), *other = NULL;
    uint8_t id[NQ_TRANSACTION_ID_BYTES];
    memcpy(id, nq_open_transaction_id(open).data, sizeof id);
    nq_bytes id_bytes = nq_bytes_of(id, sizeof id);
    assert_int_equal(nq_transaction_registry_check_out(&f->ctx, registry, id_bytes, &other),
                     NQ_TRANSACTION_BUSY);
    assert_null(other);
    nq_transaction_registry_check_in(registry, open);
    assert_int_equal(nq_transaction_registry_check_out(&f->ctx, registry, id_bytes, &other), NQ_OK);
    assert_ptr_equal(open, other);
    nq_transaction_registry_rollback(registry, other);
    assert_int_equal(nq_transaction_registry_check_out(&f->ctx, registry, id_bytes, &other),
                     NQ_TRANSACTION_NOT_FOUND);
    assert_int_equal(nq_transaction_registry_count(registry), 0);
}

static void no_id_but_a_whole_one_finds_anything(void **state) {
    service_fixture *f = *state;
    nq_transaction_registry *registry = f->service.transactions;
    nq_open_transaction *open = begin(f, registry, 0), *other = NULL;
    nq_bytes id = nq_open_transaction_id(open);
    nq_transaction_registry_check_in(registry, open);
    for (size_t size = 0; size < id.size; size++) {
        assert_int_equal(nq_transaction_registry_check_out(&f->ctx, registry,
                                                           nq_bytes_of(id.data, size), &other),
                         NQ_TRANSACTION_NOT_FOUND);
    }
    static const uint8_t zeros[NQ_TRANSACTION_ID_BYTES];
    assert_int_equal(nq_transaction_registry_check_out(&f->ctx, registry,
                                                       nq_bytes_of(zeros, sizeof zeros), &other),
                     NQ_TRANSACTION_NOT_FOUND);
}

static void an_idle_transaction_is_rolled_back_and_its_owner_learns_why(void **state) {
    service_fixture *f = *state;
    nq_transaction_registry *registry = f->service.transactions;
    service_do(f, "CREATE TABLE t (id INTEGER)");
    nq_open_transaction *open = begin(f, registry, 1000000), *other = NULL;
    uint8_t id[NQ_TRANSACTION_ID_BYTES];
    memcpy(id, nq_open_transaction_id(open).data, sizeof id);
    ProtobufCBinaryData wire_id = {sizeof id, id};
    nq_transaction_registry_check_in(registry, open);
    wire_free(service_sql_in(f, &wire_id, "INSERT INTO t VALUES (1)"));
    while (nq_transaction_registry_count(registry) > 0) {
        nq_thread_sleep_ns(5000000);
    }
    assert_int_equal(
        nq_transaction_registry_check_out(&f->ctx, registry, nq_bytes_of(id, sizeof id), &other),
        NQ_IDLE_TIMEOUT);
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 0);
}

static void a_transaction_in_use_is_never_idle(void **state) {
    service_fixture *f = *state;
    nq_transaction_registry *registry = f->service.transactions;
    nq_open_transaction *busy = begin(f, registry, 1000000);
    nq_open_transaction *idle = begin(f, registry, 1000000);
    nq_transaction_registry_check_in(registry, idle);
    /* The reaper has been by when the idle one is gone. */
    while (nq_transaction_registry_count(registry) > 1) {
        nq_thread_sleep_ns(5000000);
    }
    nq_transaction_registry_rollback(registry, busy);
    assert_int_equal(nq_transaction_registry_count(registry), 0);
}

static void no_client_may_stay_idle_longer_than_the_server_allows(void **state) {
    service_fixture *f = *state;
    nq_transaction_registry *registry = NULL;
    assert_int_equal(
        nq_transaction_registry_create(&f->ctx, f->service.database, 4, 1000000, &registry), NQ_OK);
    nq_transaction_registry_check_in(registry, begin(f, registry, INT64_C(3600000000000)));
    while (nq_transaction_registry_count(registry) > 0) {
        nq_thread_sleep_ns(5000000);
    }
    nq_transaction_registry_destroy(registry);
}

static void what_is_open_at_the_end_is_rolled_back(void **state) {
    service_fixture *f = *state;
    nq_transaction_registry_check_in(f->service.transactions, begin(f, f->service.transactions, 0));
    service_restart(f);
    assert_int_equal(nq_transaction_registry_count(f->service.transactions), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(one_call_at_a_time_uses_a_transaction),
        SERVICE_TEST(no_id_but_a_whole_one_finds_anything),
        SERVICE_TEST(an_idle_transaction_is_rolled_back_and_its_owner_learns_why),
        SERVICE_TEST(a_transaction_in_use_is_never_idle),
        SERVICE_TEST(no_client_may_stay_idle_longer_than_the_server_allows),
        SERVICE_TEST(what_is_open_at_the_end_is_rolled_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
