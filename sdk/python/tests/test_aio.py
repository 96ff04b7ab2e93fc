"""The asynchronous client, against a real server."""

import asyncio
import functools
import time

import pytest

import neuroquantum
from neuroquantum.v1 import admin_pb2


def asynchronous(test):
    @functools.wraps(test)
    def run(*arguments, **named):
        asyncio.run(asyncio.wait_for(test(*arguments, **named), 60))

    return run


@asynchronous
async def test_statements_answer(address):
    async with neuroquantum.aio.connect(address) as client:
        assert (await client.execute("SELECT $1 + 2", [40])).scalar() == 42
        with pytest.raises(neuroquantum.NotFound) as caught:
            await client.execute("SELECT * FROM nowhere")
        assert caught.value.reason == "TABLE_NOT_FOUND"


@asynchronous
async def test_transactions_commit_or_leave_nothing(address, name):
    async with neuroquantum.aio.connect(address) as client:
        await client.execute(f"CREATE TABLE {name} (id INT PRIMARY KEY)")
        async with client.transaction() as transaction:
            await transaction.execute(f"INSERT INTO {name} VALUES (1)")
        with pytest.raises(RuntimeError):
            async with client.transaction() as transaction:
                await transaction.execute(f"INSERT INTO {name} VALUES (2)")
                raise RuntimeError("changed my mind")
        assert (await client.execute(f"SELECT count(*) FROM {name}")).scalar() == 1


@asynchronous
async def test_streams_bring_every_row_once(address):
    sql = "SELECT g AS n FROM generate_series(1, 30000) AS s(g)"
    async with neuroquantum.aio.connect(address) as client:
        async with await client.stream(sql, batch_rows=1000) as stream:
            assert [row.n async for row in stream] == list(range(1, 30001))
        assert stream.row_count == 30000


@asynchronous
async def test_a_failed_stream_raises_its_kind(address):
    async with neuroquantum.aio.connect(address) as client:
        with pytest.raises(neuroquantum.SqlError) as caught:
            await client.stream("SELEC 1")
        assert caught.value.sqlstate == "42601"
        stream = await client.stream("SELECT 1 / (20000 - g) FROM generate_series(1, 30000) AS s(g)")
        with pytest.raises(neuroquantum.SqlError) as late:
            async for _ in stream:
                pass
        assert late.value.sqlstate == "22012"


@asynchronous
async def test_a_closed_stream_stops_its_statement(address):
    async with neuroquantum.aio.connect(address) as client:
        sql = "SELECT g FROM generate_series(1, 100000000) AS s(g)"
        with neuroquantum.connect(address) as observer:

            def is_running(query_id):
                queries = observer.admin_service.ListQueries(admin_pb2.ListQueriesRequest()).queries
                return query_id in [query.query_id for query in queries]

            async with await client.stream(sql) as stream:
                async for batch in stream.batches():
                    assert len(batch) > 0
                    break
                assert is_running(stream.query_id)
            deadline = time.monotonic() + 10
            while is_running(stream.query_id) and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
            assert not is_running(stream.query_id)


@asynchronous
async def test_messages_arrive_in_order(address, name):
    async with neuroquantum.aio.connect(address) as client:
        async with await client.subscribe(f"{name}.*", window=5) as subscription:
            await asyncio.gather(*(client.publish(f"{name}.a", str(i)) for i in range(20)))
            got = []
            async for message in subscription:
                got.append(message.sequence)
                await subscription.ack(message)
                if len(got) == 20:
                    await subscription.drain()
        assert got == list(range(1, 21))
