/* Failures as clients see them: google.rpc.Status and the place in the text. */
#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <neuroquantum/v1/types.pb-c.h>
#include <string.h>

#include "server/wire/status_wire.h"
#include "tests/server/wire/wire_fixture.h"

static Google__Rpc__Status *encoded(wire_fixture *fixture) {
    nq_bytes details = nq_status_details_encode(NULL, &fixture->arena, &fixture->ctx.error);
    assert_true(details.size > 0);
    Google__Rpc__Status *status = google__rpc__status__unpack(NULL, details.size, details.data);
    assert_non_null(status);
    return status;
}

/* The detail of this type, unpacked; NULL when the status has none. */
static void *detail(const Google__Rpc__Status *status,
                    const ProtobufCMessageDescriptor *descriptor) {
    for (size_t i = 0; i < status->n_details; i++) {
        const char *name = strchr(status->details[i]->type_url, '/');
        if (name != NULL && strcmp(name + 1, descriptor->name) == 0) {
            return protobuf_c_message_unpack(descriptor, NULL, status->details[i]->value.len,
                                             status->details[i]->value.data);
        }
    }
    return NULL;
}

static void a_syntax_error_says_reason_and_place(void **state) {
    (void)state;
    wire_fixture fixture;
    wire_fixture_init(&fixture, 1 << 20);
    assert_int_equal(nq_fail(&fixture.ctx, NQ_SQL_SYNTAX, "syntax error at or near \"FRM\""),
                     NQ_SQL_SYNTAX);
    nq_error_set_object(&fixture.ctx.error, "FRM", 3);
    nq_error_set_hint(&fixture.ctx.error, "Did you mean FROM?");
    fixture.ctx.error.position = (nq_position){.offset = 9, .line = 1, .column = 10};
    Google__Rpc__Status *status = encoded(&fixture);
    assert_int_equal(status->code, NQ_RPC_INVALID_ARGUMENT);
    assert_string_equal(status->message, "syntax error at or near \"FRM\"");
    Google__Rpc__ErrorInfo *info = detail(status, &google__rpc__error_info__descriptor);
    assert_string_equal(info->reason, "SQL_SYNTAX");
    assert_string_equal(info->domain, "neuroquantum");
    assert_int_equal(info->n_metadata, 2);
    assert_string_equal(info->metadata[0]->key, "sqlstate");
    assert_string_equal(info->metadata[0]->value, "42601");
    Neuroquantum__V1__QueryErrorDetail *query =
        detail(status, &neuroquantum__v1__query_error_detail__descriptor);
    assert_string_equal(query->sqlstate, "42601");
    assert_int_equal(query->position->offset, 9);
    assert_int_equal(query->position->column, 10);
    assert_string_equal(query->token, "FRM");
    assert_string_equal(query->hint, "Did you mean FROM?");
    assert_null(detail(status, &google__rpc__bad_request__descriptor));
    assert_null(detail(status, &google__rpc__retry_info__descriptor));
    wire_free(info);
    wire_free(query);
    wire_free(status);
    wire_fixture_deinit(&fixture);
}

static void a_refused_field_is_a_bad_request(void **state) {
    (void)state;
    wire_fixture fixture;
    wire_fixture_init(&fixture, 1 << 20);
    assert_int_equal(
        nq_fail(&fixture.ctx, NQ_INVALID_ARGUMENT, "field request_id is longer than 64 bytes"),
        NQ_INVALID_ARGUMENT);
    nq_error_set_object(&fixture.ctx.error, "request_id", 10);
    Google__Rpc__Status *status = encoded(&fixture);
    Google__Rpc__BadRequest *bad = detail(status, &google__rpc__bad_request__descriptor);
    assert_int_equal(bad->n_field_violations, 1);
    assert_string_equal(bad->field_violations[0]->field, "request_id");
    wire_free(bad);
    wire_free(status);
    wire_fixture_deinit(&fixture);
}

static void a_lost_race_says_when_to_try_again(void **state) {
    (void)state;
    wire_fixture fixture;
    wire_fixture_init(&fixture, 1 << 20);
    assert_int_equal(nq_fail(&fixture.ctx, NQ_WRITE_CONFLICT, "lost"), NQ_WRITE_CONFLICT);
    Google__Rpc__Status *status = encoded(&fixture);
    assert_int_equal(status->code, NQ_RPC_ABORTED);
    Google__Rpc__RetryInfo *retry = detail(status, &google__rpc__retry_info__descriptor);
    assert_true(retry->retry_delay->nanos > 0);
    wire_free(retry);
    wire_free(status);
    wire_fixture_deinit(&fixture);
}

static void a_violated_constraint_is_named(void **state) {
    (void)state;
    wire_fixture fixture;
    wire_fixture_init(&fixture, 1 << 20);
    assert_int_equal(nq_fail(&fixture.ctx, NQ_UNIQUE_VIOLATION, "duplicate key"),
                     NQ_UNIQUE_VIOLATION);
    nq_error_set_object(&fixture.ctx.error, "t_pkey", 6);
    Google__Rpc__Status *status = encoded(&fixture);
    Neuroquantum__V1__QueryErrorDetail *query =
        detail(status, &neuroquantum__v1__query_error_detail__descriptor);
    assert_string_equal(query->constraint, "t_pkey");
    assert_string_equal(query->sqlstate, "23505");
    wire_free(query);
    wire_free(status);
    wire_fixture_deinit(&fixture);
}

/* ---- The place ---- */

static void assert_shown(const char *sql, nq_position position, const char *want) {
    nq_error error = {.code = NQ_SQL_SYNTAX, .position = position, .message = "wrong"};
    nq_error_show_place(&error, nq_bytes_of_cstr(sql));
    assert_string_equal(error.message, want);
}

static void the_caret_stands_below_the_place(void **state) {
    (void)state;
    assert_shown("SELECT a FRM t", (nq_position){9, 1, 10},
                 "wrong (line 1, column 10)\n"
                 "LINE 1: SELECT a FRM t\n"
                 "                 ^");
    assert_shown("SELECT\n  nope", (nq_position){9, 2, 3},
                 "wrong (line 2, column 3)\n"
                 "LINE 2:   nope\n"
                 "          ^");
}

static void characters_of_many_bytes_are_one_column(void **state) {
    (void)state;
    assert_shown("SELECT 'äöü' x y", (nq_position){18, 1, 16},
                 "wrong (line 1, column 16)\n"
                 "LINE 1: SELECT 'äöü' x y\n"
                 "                       ^");
}

static void the_end_of_the_text_is_a_place(void **state) {
    (void)state;
    assert_shown("SELECT (", (nq_position){8, 1, 9},
                 "wrong (line 1, column 9)\n"
                 "LINE 1: SELECT (\n"
                 "                ^");
}

static void a_long_line_is_cut_around_the_place(void **state) {
    (void)state;
    char sql[400];
    nq_error error = {.code = NQ_SQL_SYNTAX, .position = {200, 1, 201}, .message = "wrong"};
    memset(sql, 'x', sizeof sql);
    sql[200] = '!';
    nq_error_show_place(&error, nq_bytes_of(sql, sizeof sql));
    const char *line = strstr(error.message, "LINE 1: ");
    const char *caret = strrchr(error.message, '\n') + 1;
    assert_non_null(line);
    assert_int_equal(line[strlen(caret) - 1], '!');
    assert_true(strlen(line) < 180);
}

static void without_a_place_nothing_is_added(void **state) {
    (void)state;
    assert_shown("SELECT 1", (nq_position){0}, "wrong");
    assert_shown("x", (nq_position){99, 1, 1}, "wrong");
}

static void a_message_without_room_keeps_its_own_words(void **state) {
    (void)state;
    nq_error error = {.code = NQ_SQL_SYNTAX, .position = {0, 1, 1}};
    memset(error.message, 'm', sizeof error.message - 2);
    nq_error_show_place(&error, NQ_BYTES_LITERAL("SELECT 1"));
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_syntax_error_says_reason_and_place),
        cmocka_unit_test(a_refused_field_is_a_bad_request),
        cmocka_unit_test(a_lost_race_says_when_to_try_again),
        cmocka_unit_test(a_violated_constraint_is_named),
        cmocka_unit_test(the_caret_stands_below_the_place),
        cmocka_unit_test(characters_of_many_bytes_are_one_column),
        cmocka_unit_test(the_end_of_the_text_is_a_place),
        cmocka_unit_test(a_long_line_is_cut_around_the_place),
        cmocka_unit_test(without_a_place_nothing_is_added),
        cmocka_unit_test(a_message_without_room_keeps_its_own_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
