/* Listen registry: sessions are found by their id and token while they last. */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/server/service/live_fixture.h"

static void no_wake(void *user) {
    (void)user;
}

static nq_subscriber *new_subscriber(nq_ctx *ctx) {
    nq_subscriber *subscriber;
    const nq_subscriber_options options = {.wake = no_wake};
    assert_int_equal(nq_subscriber_create(ctx, &options, &subscriber), NQ_OK);
    return subscriber;
}

static nq_status find(nq_listen_registry *registry, const nq_listen_entry *entry,
                      nq_subscriber **out_subscriber) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    return nq_listen_registry_get(&ctx, registry, nq_bytes_of_cstr(entry->session_id),
                                  nq_bytes_of(entry->control_token, sizeof entry->control_token),
                                  out_subscriber);
}

static void a_session_is_found_by_its_id_and_token(void **state) {
    enum { SESSIONS = 100 };
    (void)state;
    nq_ctx ctx;
    nq_listen_registry *registry;
    static nq_listen_entry entries[SESSIONS];
    nq_subscriber *found;
    nq_ctx_init(&ctx, NULL);
    assert_int_equal(nq_listen_registry_create(&ctx, &registry), NQ_OK);
    nq_subscriber *subscriber = new_subscriber(&ctx);
    for (int i = 0; i < SESSIONS; i++) {
        nq_listen_registry_join(registry, &entries[i], subscriber);
    }
    assert_int_equal(nq_listen_registry_count(registry), SESSIONS);
    for (int i = 0; i < SESSIONS; i += 2) {
        nq_listen_entry gone = entries[i];
        nq_listen_registry_leave(registry, &entries[i]);
        nq_listen_registry_leave(registry, &entries[i]); /* harmless */
        assert_int_equal(find(registry, &gone, &found), NQ_SUBSCRIPTION_NOT_FOUND);
        assert_null(found);
    }
    for (int i = 1; i < SESSIONS; i += 2) {
        nq_listen_entry forged = entries[i];
        assert_int_equal(find(registry, &entries[i], &found), NQ_OK);
        assert_ptr_equal(found, subscriber);
        nq_subscriber_release(found);
        forged.control_token[15] ^= 1;
        assert_int_equal(find(registry, &forged, &found), NQ_BAD_TOKEN);
        assert_null(found);
        nq_listen_registry_leave(registry, &entries[i]);
    }
    assert_int_equal(nq_listen_registry_count(registry), 0);
    nq_subscriber_release(subscriber);
    nq_listen_registry_destroy(registry);
}

static void foreign_ids_and_tokens_are_refused(void **state) {
    (void)state;
    static const char *const ids[] = {"",   "s",   "x1",  "s1 ",
                                      "S1", "s01", "s-1", "s1111111111111111111111111"};
    nq_ctx ctx;
    nq_listen_registry *registry;
    nq_listen_entry entry = {0};
    nq_subscriber *found;
    nq_ctx_init(&ctx, NULL);
    assert_int_equal(nq_listen_registry_create(&ctx, &registry), NQ_OK);
    nq_subscriber *subscriber = new_subscriber(&ctx);
    nq_listen_registry_join(registry, &entry, subscriber);
    nq_bytes token = nq_bytes_of(entry.control_token, sizeof entry.control_token);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        assert_int_equal(
            nq_listen_registry_get(&ctx, registry, nq_bytes_of_cstr(ids[i]), token, &found),
            NQ_SUBSCRIPTION_NOT_FOUND);
    }
    for (size_t size = 0; size < sizeof entry.control_token; size++) {
        assert_int_equal(nq_listen_registry_get(&ctx, registry, nq_bytes_of_cstr(entry.session_id),
                                                nq_bytes_of(token.data, size), &found),
                         NQ_BAD_TOKEN);
    }
    nq_listen_registry_leave(registry, &entry);
    nq_subscriber_release(subscriber);
    nq_listen_registry_destroy(registry);
}

typedef struct visitor {
    nq_listen_registry *registry;
    nq_listen_entry target; /* a copy: its id and token */
    _Atomic bool is_over;
} visitor;

static void *visit(void *argument) {
    visitor *self = argument;
    while (!atomic_load(&self->is_over)) {
        nq_subscriber *found;
        if (find(self->registry, &self->target, &found) == NQ_OK) {
            nq_subscriber_wake(found);
            nq_subscriber_release(found);
        }
    }
    return NULL;
}

static void a_session_may_leave_while_it_is_looked_up(void **state) {
    (void)state;
    nq_ctx ctx;
    visitor v = {0};
    nq_ctx_init(&ctx, NULL);
    assert_int_equal(nq_listen_registry_create(&ctx, &v.registry), NQ_OK);
    for (int round = 0; round < 50; round++) {
        pthread_t thread;
        nq_listen_entry entry = {0};
        nq_subscriber *subscriber = new_subscriber(&ctx);
        nq_listen_registry_join(v.registry, &entry, subscriber);
        v.target = entry;
        atomic_store(&v.is_over, false);
        assert_int_equal(pthread_create(&thread, NULL, visit, &v), 0);
        nq_listen_registry_leave(v.registry, &entry);
        nq_subscriber_release(subscriber);
        atomic_store(&v.is_over, true);
        pthread_join(thread, NULL);
    }
    nq_listen_registry_destroy(v.registry);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_found_by_its_id_and_token),
        cmocka_unit_test(foreign_ids_and_tokens_are_refused),
        cmocka_unit_test(a_session_may_leave_while_it_is_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
