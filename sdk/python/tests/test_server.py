"""Everything the client promises, against a real server."""

import datetime
import threading
import time

import pytest

import neuroquantum


# ---- Statements ----


def test_a_query_answers_rows_with_names(client):
    row = client.execute("SELECT 1 + 1 AS two, 'x' AS letter, NULL AS nothing").one()
    assert (row.two, row.letter, row.nothing) == (2, "x", None)


def test_parameters_reach_the_statement(client):
    assert client.execute("SELECT $1 + $2", [40, 2]).scalar() == 42
    assert client.execute("SELECT $1", ["it's; -- text"]).scalar() == "it's; -- text"


def test_a_table_holds_every_type(client, name):
    client.execute(
        f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, b BOOLEAN, n INTEGER, d DOUBLE PRECISION, "
        "s TEXT, y BYTEA, t TIMESTAMP, day DATE)"
    )
    moment = datetime.datetime(2024, 2, 29, 12, 30, 0, 250)
    row = (1, True, -5, 0.1, "日本", b"\x00\xff", moment, datetime.date(1999, 12, 31))
    sql = f"INSERT INTO {name} VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    assert client.execute(sql, row).rows_affected == 1
    assert client.execute(sql, [2] + [None] * 7).rows_affected == 1
    rows = client.execute(f"SELECT * FROM {name} ORDER BY id").rows
    assert tuple(rows[0]) == row
    assert tuple(rows[1]) == (2,) + (None,) * 7
    assert name in [table.name for table in client.tables()]
    assert [column.name for column in client.table(name).columns][:2] == ["id", "b"]


def test_an_error_says_what_and_where(client):
    with pytest.raises(neuroquantum.SqlError) as caught:
        client.execute("SELECT 1\nFORM nowhere WHERE")
    assert caught.value.reason == "SQL_SYNTAX"
    assert caught.value.sqlstate == "42601"
    assert caught.value.line == 2


def test_errors_have_a_class_by_kind(client, name):
    with pytest.raises(neuroquantum.NotFound) as caught:
        client.execute(f"SELECT * FROM {name}")
    assert caught.value.reason == "TABLE_NOT_FOUND"
    client.execute(f"CREATE TABLE {name} (id INT PRIMARY KEY)")
    with pytest.raises(neuroquantum.AlreadyExists):
        client.execute(f"CREATE TABLE {name} (id INT PRIMARY KEY)")
    client.execute(f"INSERT INTO {name} VALUES (1)")
    with pytest.raises(neuroquantum.ConstraintViolation) as violation:
        client.execute(f"INSERT INTO {name} VALUES (1)")
    assert violation.value.sqlstate == "23505"


def test_a_server_that_is_not_there_is_unavailable():
    with neuroquantum.connect("nq://127.0.0.1:1") as client:
        with pytest.raises(neuroquantum.Unavailable) as caught:
            client.execute("SELECT 1")
        assert caught.value.retryable


def test_a_transaction_commits_or_leaves_nothing(client, name):
    client.execute(f"CREATE TABLE {name} (id INT PRIMARY KEY)")
    with client.transaction() as transaction:
        transaction.execute(f"INSERT INTO {name} VALUES (1)")
        assert client.execute(f"SELECT count(*) FROM {name}").scalar() == 0
        assert transaction.execute(f"SELECT count(*) FROM {name}").scalar() == 1
    assert client.execute(f"SELECT count(*) FROM {name}").scalar() == 1
    with pytest.raises(RuntimeError):
        with client.transaction() as transaction:
            transaction.execute(f"INSERT INTO {name} VALUES (2)")
            raise RuntimeError("changed my mind")
    assert client.execute(f"SELECT count(*) FROM {name}").scalar() == 1


def test_many_sets_of_parameters_are_one_transaction(client, name):
    client.execute(f"CREATE TABLE {name} (id INT PRIMARY KEY, s TEXT)")
    sql = f"INSERT INTO {name} VALUES ($1, $2)"
    assert client.execute_many(sql, [(i, str(i)) for i in range(100)]) == 100
    with pytest.raises(neuroquantum.ConstraintViolation):
        client.execute_many(sql, [(100, "x"), (5, "twice")])
    assert client.execute(f"SELECT count(*) FROM {name}").scalar() == 100


# ---- Bulk load and streams ----


@pytest.fixture
def numbers(client, name):
    """A table of 50,000 rows."""
    client.execute(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, half DOUBLE PRECISION, s TEXT)")
    rows = ((i, i / 2, None if i % 10 == 0 else f"row {i}") for i in range(50_000))
    result = client.ingest(name, rows, columns=["id", "half", "s"])
    assert result.rows_committed == 50_000
    return name


def test_a_load_arrives_whole(client, numbers):
    row = client.execute(f"SELECT count(*), sum(id), sum(half), count(s) FROM {numbers}").one()
    assert tuple(row) == (50_000, 49_999 * 25_000, 49_999 * 25_000 / 2, 45_000)


def test_a_load_that_was_cut_goes_on_where_it_ended(client, name):
    client.execute(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY)")

    def cut_after(count):
        for i in range(count):
            yield (i,)
        raise RuntimeError("the cable")

    with pytest.raises(Exception):
        client.ingest(
            name, cut_after(20_000), columns=["id"], ingest_id="x", rows_per_transaction=1000
        )
    result = client.ingest(
        name, ((i,) for i in range(30_000)), columns=["id"], ingest_id="x", types=["INT64"]
    )
    assert result.next_offset == 30_000
    assert client.execute(f"SELECT count(*), max(id) FROM {name}").one() == (30_000, 29_999)
    again = client.ingest(name, ((i,) for i in range(30_000)), columns=["id"], ingest_id="x")
    assert again.rows_committed == 0


def test_rows_of_uneven_length_are_refused_before_anything_is_sent(client, name):
    client.execute(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, s TEXT)")
    with pytest.raises(ValueError):
        client.ingest(name, [(1, "a"), (2,)], columns=["id", "s"])


def test_a_stream_brings_every_row_once(client, numbers):
    with client.stream(f"SELECT id, half, s FROM {numbers} ORDER BY id") as stream:
        assert [column.type for column in stream.columns] == ["INT64", "FLOAT64", "TEXT"]
        seen = 0
        for row in stream:
            assert row.id == seen and row.half == seen / 2
            assert row.s == (None if seen % 10 == 0 else f"row {seen}")
            seen += 1
    assert seen == 50_000 == stream.row_count


def test_a_paced_stream_is_never_further_than_its_window(client, numbers):
    with client.stream(f"SELECT id FROM {numbers}", paced=True, window=2, batch_rows=1000) as stream:
        numbers_of_batches = [batch.number for batch in stream.batches()]
    assert numbers_of_batches == list(range(1, len(numbers_of_batches) + 1))
    assert stream.row_count == 50_000


def test_a_paused_stream_stops_and_goes_on(client, numbers):
    stream = client.stream(f"SELECT id FROM {numbers}", paced=True, window=1, batch_rows=500)
    arrived = []

    def read():
        for batch in stream.batches():
            arrived.append(batch.row_count)
            if len(arrived) == 3:
                stream.pause()

    reader = threading.Thread(target=read)
    reader.start()
    while len(arrived) < 3:
        time.sleep(0.01)
    time.sleep(0.5)
    paused_at = len(arrived)
    time.sleep(0.5)
    assert len(arrived) == paused_at
    assert paused_at <= 5  # what was granted before the pause
    stream.resume()
    reader.join(30)
    assert sum(arrived) == 50_000


def test_a_cancelled_stream_ends_with_cancelled(client, numbers):
    stream = client.stream(f"SELECT a.id FROM {numbers} a JOIN {numbers} b ON a.half < b.half", paced=True)
    batches = stream.batches()
    next(batches)
    stream.cancel()
    with pytest.raises(neuroquantum.Cancelled):
        for _ in batches:
            pass


def test_a_deadline_stops_the_statement(client, numbers):
    started = time.monotonic()
    with pytest.raises(neuroquantum.DeadlineExceeded):
        client.execute(
            f"SELECT count(*) FROM {numbers} a JOIN {numbers} b ON a.half < b.half", timeout=0.3
        )
    assert time.monotonic() - started < 5


# ---- Publish and subscribe ----


def test_messages_arrive_in_order(client, name):
    with client.subscribe(f"{name}.**") as subscription:
        for i in range(100):
            assert client.publish(f"{name}.a", f"message {i}").sequence == i + 1
        got = [event for _, event in zip(range(100), subscription)]
    assert [message.text for message in got] == [f"message {i}" for i in range(100)]
    assert [message.sequence for message in got] == list(range(1, 101))


def test_both_ways_a_subscription_can_be_steered(client, name):
    with client.subscribe(f"{name}.a", window=10) as subscription:
        events = iter(subscription)
        for i in range(30):
            client.publish(f"{name}.a", str(i))
        for i in range(30):  # more than the window: acknowledging lets them through
            message = next(events)
            assert message.text == str(i)
            subscription.ack(message)
        subscription.add(f"{name}.b")
        deadline = time.monotonic() + 10
        while client.publish(f"{name}.b", "late").receivers == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert next(events).channel == f"{name}.b"
        subscription.drain()
        assert all(event.channel == f"{name}.b" for event in events)


def test_listen_begins_with_history(client, name):
    for i in range(5):
        client.publish(name, str(i))
    with client.listen(name, history=3) as subscription:
        events = iter(subscription)
        assert [next(events).text for _ in range(3)] == ["2", "3", "4"]
        client.publish(name, "new")
        assert next(events).text == "new"
    assert [message.text for message in client.history(name)] == ["0", "1", "2", "3", "4", "new"]


def test_a_bad_pattern_is_refused(client):
    with pytest.raises(neuroquantum.InvalidArgument) as caught:
        client.subscribe("a..b")
    assert caught.value.reason == "BAD_PATTERN"


def test_the_server_says_what_it_is(client):
    info = client.server_info()
    assert info.version
    assert info.limits
