/* Connections: what a client calls itself is kept as its first call said it, fit to be shown. */
#include "server/rpc/connection_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { DESCRIPTOR_MAX = 8, DESCRIPTOR = 5 };

typedef struct table_of_one {
    nq_connection_table *table;
    nq_connection *connection;
} table_of_one;

static int set_up(void **state) {
    static table_of_one one;
    nq_socket_address address = {.family = NQ_SOCKET_IPV4, .port = 1};
    one.table = nq__connection_table_create(DESCRIPTOR_MAX);
    assert_non_null(one.table);
    one.connection = nq__connection_add(one.table, DESCRIPTOR, &address);
    assert_non_null(one.connection);
    *state = &one;
    return 0;
}

static int tear_down(void **state) {
    table_of_one *one = *state;
    nq__connection_table_destroy(one->table);
    return 0;
}

static void copy_user_agent(void *user, const nq_connection_info *info) {
    snprintf(user, NQ_USER_AGENT_BYTES * 2, "%s", info->user_agent);
}

static void expect(table_of_one *one, const char *wanted) {
    char seen[NQ_USER_AGENT_BYTES * 2];
    nq__connection_visit(one->table, copy_user_agent, seen);
    assert_string_equal(seen, wanted);
}

static void a_client_has_no_name_until_its_first_call(void **state) {
    expect(*state, "");
}

static void the_first_name_is_kept(void **state) {
    table_of_one *one = *state;
    nq__connection_introduce(one->table, one->connection, nq_bytes_of_cstr("first/1"));
    assert_true(nq__connection_is_introduced(one->connection));
    nq__connection_introduce(one->table, one->connection, nq_bytes_of_cstr("second/2"));
    expect(one, "first/1");
}

static void a_client_without_a_name_stays_without(void **state) {
    table_of_one *one = *state;
    nq__connection_introduce(one->table, one->connection, (nq_bytes){0});
    nq__connection_introduce(one->table, one->connection, nq_bytes_of_cstr("late/1"));
    expect(one, "");
}

static void what_is_not_printable_is_not_shown(void **state) {
    table_of_one *one = *state;
    static const char raw[] = "a\x1b[2J\0\xc3\xa4\n~ ";
    nq__connection_introduce(one->table, one->connection, nq_bytes_of(raw, sizeof raw - 1));
    expect(one, "a?[2J????~ ");
}

static void a_long_name_is_cut(void **state) {
    table_of_one *one = *state;
    char raw[4096];
    char wanted[NQ_USER_AGENT_BYTES] = {0};
    memset(raw, 'x', sizeof raw);
    memset(wanted, 'x', sizeof wanted - 1);
    nq__connection_introduce(one->table, one->connection, nq_bytes_of(raw, sizeof raw));
    expect(one, wanted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_client_has_no_name_until_its_first_call),
        TEST(the_first_name_is_kept),
        TEST(a_client_without_a_name_stays_without),
        TEST(what_is_not_printable_is_not_shown),
        TEST(a_long_name_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
