/* StreamService's messages: what is asked for arrives, what cannot be honoured is refused by name,
 * and every event reads back with the generated code. */
#include <neuroquantum/v1/stream.pb-c.h>
#include <string.h>

#include "server/wire/stream_wire.h"
#include "tests/server/wire/wire_fixture.h"

typedef struct stream_fixture {
    wire_fixture wire;
    Neuroquantum__V1__InteractRequest interact;
    Neuroquantum__V1__ExecuteStreamRequest request;
    Neuroquantum__V1__Statement statement;
    Neuroquantum__V1__StreamOptions options;
    Google__Protobuf__Duration duration;
    nq_interact_request decoded;
} stream_fixture;

static void stream_init(stream_fixture *f) {
    memset(f, 0, sizeof *f);
    wire_fixture_init(&f->wire, 1 << 20);
    neuroquantum__v1__interact_request__init(&f->interact);
    neuroquantum__v1__execute_stream_request__init(&f->request);
    neuroquantum__v1__statement__init(&f->statement);
    neuroquantum__v1__stream_options__init(&f->options);
    google__protobuf__duration__init(&f->duration);
    f->statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
    f->statement.sql = (char *)"SELECT 1";
    f->request.statement = &f->statement;
    f->request.stream = &f->options;
    f->interact.request_case = NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_START;
    f->interact.start = &f->request;
}

static nq_status decode(stream_fixture *f) {
    return nq_interact_request_decode(&f->wire.ctx, PACKED(&f->wire, &f->interact), &f->decoded);
}

static void a_start_brings_its_options(void **state) {
    (void)state;
    stream_fixture f;
    stream_init(&f);
    f.options.batch_rows = 100;
    f.options.batch_bytes = 2048;
    f.options.progress_rows = 7;
    f.options.manual_grant = 1;
    f.options.initial_grant = 3;
    f.duration.nanos = 20000000;
    f.options.progress_interval = &f.duration;
    assert_int_equal(decode(&f), NQ_OK);
    assert_int_equal(f.decoded.kind, NQ_INTERACT_START);
    const nq_stream_options *have = &f.decoded.start.stream;
    assert_int_equal(have->batch_rows, 100);
    assert_int_equal(have->batch_bytes, 2048);
    assert_int_equal(have->progress_rows, 7);
    assert_true(have->manual_grant);
    assert_int_equal(have->initial_grant, 3);
    assert_int_equal(have->progress_interval_ns, 20000000);
    wire_fixture_deinit(&f.wire);
}

static void assert_refused(stream_fixture *f, nq_status want, const char *field) {
    assert_int_equal(decode(f), want);
    assert_string_equal(f->wire.ctx.error.object, field);
    neuroquantum__v1__stream_options__init(&f->options);
}

static void options_out_of_range_or_not_served_are_refused_by_name(void **state) {
    (void)state;
    stream_fixture f;
    stream_init(&f);
    f.options.batch_rows = 65537;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "batch_rows");
    f.options.batch_bytes = 1023;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "batch_bytes");
    f.options.batch_bytes = (1 << 20) + 1;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "batch_bytes");
    f.options.initial_grant = 1;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "initial_grant");
    f.duration.nanos = 1000;
    f.options.progress_interval = &f.duration;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "progress_interval");
    f.options.detach_ttl = &f.duration;
    assert_refused(&f, NQ_FEATURE_UNSUPPORTED, "stream.detach_ttl");
    f.options.replay_buffer_bytes = 1;
    assert_refused(&f, NQ_FEATURE_UNSUPPORTED, "stream.replay_buffer_bytes");
    f.interact.request_case = NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_UPDATE;
    f.interact.update = &f.options;
    f.options.manual_grant = 1;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "update.manual_grant");
    Neuroquantum__V1__ResumeStreamRequest resume = NEUROQUANTUM__V1__RESUME_STREAM_REQUEST__INIT;
    f.interact.request_case = NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_RESUME;
    f.interact.resume = &resume;
    assert_refused(&f, NQ_FEATURE_UNSUPPORTED, "resume");
    f.interact.request_case = NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST__NOT_SET;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "request");
    nq_stream_request whole;
    f.options.manual_grant = 1;
    assert_int_equal(nq_stream_request_decode(&f.wire.ctx, PACKED(&f.wire, &f.request), &whole),
                     NQ_FEATURE_UNSUPPORTED);
    assert_int_equal(
        nq_interact_request_decode(&f.wire.ctx, NQ_BYTES_LITERAL("\x0a\x7f"), &f.decoded),
        NQ_INVALID_REQUEST);
    wire_fixture_deinit(&f.wire);
}

static void controls_arrive_as_they_were_sent(void **state) {
    (void)state;
    stream_fixture f;
    stream_init(&f);
    Neuroquantum__V1__Flow flow = NEUROQUANTUM__V1__FLOW__INIT;
    flow.grant_through = UINT64_MAX;
    f.interact.request_case = NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_FLOW;
    f.interact.flow = &flow;
    assert_int_equal(decode(&f), NQ_OK);
    assert_int_equal(f.decoded.kind, NQ_INTERACT_FLOW);
    assert_true(f.decoded.grant_through == UINT64_MAX);
    for (int value = 0; value < 2; value++) {
        f.interact.request_case = NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_PAUSE;
        f.interact.pause = value;
        assert_int_equal(decode(&f), NQ_OK);
        assert_int_equal(f.decoded.kind, NQ_INTERACT_PAUSE);
        assert_int_equal(f.decoded.flag, value);
        f.interact.request_case = NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_CANCEL;
        f.interact.cancel = value;
        assert_int_equal(decode(&f), NQ_OK);
        assert_int_equal(f.decoded.kind, NQ_INTERACT_CANCEL);
        assert_int_equal(f.decoded.flag, value);
    }
    wire_fixture_deinit(&f.wire);
}

static Neuroquantum__V1__InteractResponse *unpacked(wire_fixture *f, nq_writer *writer) {
    return wire_unpacked(f, &neuroquantum__v1__interact_response__descriptor, writer);
}

static nq_writer new_writer(void) {
    nq_writer writer;
    nq_writer_init(&writer, 64, 1 << 20);
    return writer;
}

static void started_and_completed_read_back(void **state) {
    (void)state;
    wire_fixture f;
    wire_fixture_init(&f, 1 << 20);
    nq_writer writer = new_writer();
    const nq_stream_started started = {.stream_id = NQ_BYTES_LITERAL("q1"),
                                       .rows_expected = 12345,
                                       .snapshot_lsn = 99,
                                       .batch_rows = 8192,
                                       .batch_bytes = 131072,
                                       .transaction_id = NQ_BYTES_LITERAL("0123456789abcdef"),
                                       .query_id = NQ_BYTES_LITERAL("q1")};
    nq_stream_started_write(&writer, &started);
    Neuroquantum__V1__InteractResponse *have = unpacked(&f, &writer);
    assert_int_equal(have->event->event_case, NEUROQUANTUM__V1__STREAM_EVENT__EVENT_STARTED);
    const Neuroquantum__V1__StreamStarted *s = have->event->started;
    assert_string_equal(s->stream_id, "q1");
    assert_int_equal(s->estimated_rows, 12345);
    assert_int_equal(s->snapshot_lsn, 99);
    assert_int_equal(s->batch_rows, 8192);
    assert_int_equal(s->batch_bytes, 131072);
    assert_int_equal(s->transaction_id.len, 16);
    assert_string_equal(s->query_id, "q1");
    assert_false(s->resumable);
    wire_free(have);
    writer = new_writer();
    const nq_stream_completed completed = {
        .rows = 7, .batches = 2, .stats = {.rows_affected = 3}, .lsn = 5};
    nq_stream_completed_write(&writer, &completed);
    have = unpacked(&f, &writer);
    assert_int_equal(have->event->event_case, NEUROQUANTUM__V1__STREAM_EVENT__EVENT_COMPLETED);
    assert_int_equal(have->event->completed->rows, 7);
    assert_int_equal(have->event->completed->batches, 2);
    assert_int_equal(have->event->completed->stats->rows_affected, 3);
    assert_int_equal(have->event->completed->consistency_token.len, 8);
    wire_free(have);
    wire_fixture_deinit(&f);
}

static void progress_notices_and_batches_read_back(void **state) {
    (void)state;
    wire_fixture f;
    wire_fixture_init(&f, 1 << 20);
    static const struct {
        nq_pacer_verdict verdict;
        Neuroquantum__V1__FlowState state;
    } states[] = {
        {NQ_PACER_SEND, NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_NORMAL},
        {NQ_PACER_PAUSED, NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_PAUSED},
        {NQ_PACER_WAITING_CREDIT, NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_WAITING_CREDIT},
    };
    for (size_t i = 0; i < 3; i++) {
        nq_writer writer = new_writer();
        const nq_stream_progress progress = {.rows_sent = 10,
                                             .bytes_sent = 80,
                                             .fraction = 0.5,
                                             .rows_per_second = 1000,
                                             .elapsed_ns = 1500000000,
                                             .remaining_ns = i == 0 ? 2000000000 : -1,
                                             .state = states[i].verdict};
        nq_stream_progress_write(&writer, &progress, 11);
        Neuroquantum__V1__InteractResponse *have = unpacked(&f, &writer);
        const Neuroquantum__V1__Progress *p = have->event->progress;
        assert_int_equal(p->rows_sent, 10);
        assert_int_equal(p->rows_examined, 11);
        assert_int_equal(p->bytes_sent, 80);
        assert_true(p->fraction == 0.5 && p->rows_per_second == 1000);
        assert_int_equal(p->elapsed->seconds, 1);
        assert_int_equal(p->elapsed->nanos, 500000000);
        assert_int_equal(p->remaining != NULL, i == 0);
        assert_int_equal(p->flow_state, states[i].state);
        assert_string_equal(p->phase, "sending");
        wire_free(have);
    }
    nq_writer writer = new_writer();
    nq_stream_notice_write(&writer, "NOTICE", "max_rows cut the result");
    Neuroquantum__V1__InteractResponse *have = unpacked(&f, &writer);
    assert_string_equal(have->event->notice->severity, "NOTICE");
    assert_string_equal(have->event->notice->message, "max_rows cut the result");
    wire_free(have);
    writer = new_writer();
    nq_open_batch opened = nq_stream_batch_open(&writer, 3, 200, 100);
    nq_stream_batch_close(&writer, opened, true);
    have = unpacked(&f, &writer);
    assert_int_equal(have->event->batch->number, 3);
    assert_int_equal(have->event->batch->first_row, 200);
    assert_int_equal(have->event->batch->row_count, 100);
    assert_true(have->event->batch->last);
    wire_free(have);
    wire_fixture_deinit(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_brings_its_options),
        cmocka_unit_test(options_out_of_range_or_not_served_are_refused_by_name),
        cmocka_unit_test(controls_arrive_as_they_were_sent),
        cmocka_unit_test(started_and_completed_read_back),
        cmocka_unit_test(progress_notices_and_batches_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
