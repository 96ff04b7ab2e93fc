"""The asynchronous client: the same calls for asyncio.

    async with neuroquantum.aio.connect() as client:
        print((await client.execute("SELECT 1")).scalar())
        async with await client.stream("SELECT * FROM t") as stream:
            async for row in stream:
                ...
        async with await client.subscribe("sensors.**") as subscription:
            async for event in subscription:
                ...

Streams are paced by the transport alone: a reader that stops reading stops the server some megabytes later.
Credits, pause and resume are the synchronous client's (neuroquantum.Stream): in grpc.aio a control that
crosses the end of a call takes the batches not yet read with it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any, AsyncIterator, List, Mapping, Optional, Union

import grpc

from neuroquantum._client import (
    CHANNEL_OPTIONS,
    Result,
    execute_request,
    publish_request,
    result_from,
    stream_request,
    target_of,
)
from neuroquantum._columns import Batch, ColumnInfo, Progress, column_info, row_type
from neuroquantum._pubsub import Event, Message, Published, State, events_of, state_from
from neuroquantum._pubsub import subscribe_options
from neuroquantum._stream import progress_from
from neuroquantum._values import Parameters
from neuroquantum.errors import Error, from_rpc
from neuroquantum.v1 import (
    pubsub_pb2,
    pubsub_pb2_grpc,
    query_pb2,
    query_pb2_grpc,
    stream_pb2_grpc,
)


def connect(uri: str = "nq://localhost:50051", *, timeout: Optional[float] = None) -> "Client":
    """A client for the server at `uri`; `timeout` in seconds bounds each unary call."""
    return Client(uri, timeout=timeout)


class Client:
    """A connection, for one event loop. It is made with the first call."""

    def __init__(self, uri: str, *, timeout: Optional[float] = None):
        self._timeout = timeout
        self.channel = grpc.aio.insecure_channel(target_of(uri), options=CHANNEL_OPTIONS)
        self.query_service = query_pb2_grpc.QueryServiceStub(self.channel)
        self.stream_service = stream_pb2_grpc.StreamServiceStub(self.channel)
        self.pubsub_service = pubsub_pb2_grpc.PubSubServiceStub(self.channel)

    async def close(self) -> None:
        await self.channel.close()

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self.close()

    async def _unary(self, method: Any, request: Any, timeout: Optional[float] = None) -> Any:
        try:
            return await method(request, timeout=timeout if timeout is not None else self._timeout)
        except grpc.RpcError as error:
            raise from_rpc(error) from None

    async def execute(
        self,
        sql: str,
        parameters: Parameters = None,
        *,
        transaction: Optional["Transaction"] = None,
        request_id: str = "",
        timeout: Optional[float] = None,
    ) -> Result:
        """Runs one statement and returns its whole result. Large results belong into `stream`."""
        transaction_id = transaction.id if transaction is not None else b""
        request = execute_request(sql, parameters, transaction_id, request_id)
        return result_from(await self._unary(self.query_service.Execute, request, timeout))

    async def stream(
        self,
        sql: str,
        parameters: Parameters = None,
        *,
        batch_rows: int = 0,
        transaction: Optional["Transaction"] = None,
        timeout: Optional[float] = None,
    ) -> "Stream":
        """Runs one statement and returns its rows as they are made."""
        transaction_id = transaction.id if transaction is not None else b""
        request = stream_request(sql, parameters, transaction_id, batch_rows)
        stream = Stream(self.stream_service, request, timeout)
        await stream._begin()
        return stream

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator["Transaction"]:
        """A transaction: committed at the end of the block, rolled back when it raises."""
        options = query_pb2.TransactionOptions(read_only=read_only)
        request = query_pb2.BeginTransactionRequest(options=options)
        response = await self._unary(self.query_service.BeginTransaction, request)
        transaction = Transaction(self, response.transaction_id)
        try:
            yield transaction
        except BaseException:
            await transaction.rollback()
            raise
        else:
            await transaction.commit()

    async def publish(
        self,
        channel: str,
        payload: Union[bytes, str],
        *,
        key: str = "",
        attributes: Optional[Mapping[str, str]] = None,
        message_id: str = "",
    ) -> Published:
        request = publish_request(channel, payload, key, attributes, message_id)
        result = (await self._unary(self.pubsub_service.Publish, request)).results[0]
        return Published(result.sequence, result.receivers, result.duplicate)

    async def subscribe(
        self,
        *patterns: str,
        history: int = 0,
        from_earliest: bool = False,
        window: int = 0,
        limits: Optional[pubsub_pb2.FlowLimits] = None,
    ) -> "Subscription":
        """Receives what is published to matching channels; returns once the server has confirmed."""
        options = subscribe_options(
            patterns, history=history, from_earliest=from_earliest, window=window, limits=limits
        )
        subscription = Subscription(self.pubsub_service)
        await subscription._begin(options)
        return subscription


class Transaction:
    """An open transaction; made by Client.transaction."""

    def __init__(self, client: Client, transaction_id: bytes):
        self.client = client
        self.id = transaction_id
        self.is_open = True

    async def execute(self, sql: str, parameters: Parameters = None, **options: Any) -> Result:
        return await self.client.execute(sql, parameters, transaction=self, **options)

    async def stream(self, sql: str, parameters: Parameters = None, **options: Any) -> "Stream":
        return await self.client.stream(sql, parameters, transaction=self, **options)

    async def commit(self, request_id: str = "") -> int:
        """Makes it durable; returns the log position. Does nothing when it has ended."""
        if not self.is_open:
            return 0
        self.is_open = False
        request = query_pb2.CommitTransactionRequest(transaction_id=self.id, request_id=request_id)
        service = self.client.query_service
        return (await self.client._unary(service.CommitTransaction, request)).commit_lsn

    async def rollback(self) -> None:
        """Undoes it. Never raises: what cannot be reached is undone by the server."""
        if not self.is_open:
            return
        self.is_open = False
        request = query_pb2.RollbackTransactionRequest(transaction_id=self.id)
        try:
            await self.client._unary(self.client.query_service.RollbackTransaction, request)
        except Error:
            pass


class _Call:
    """A call that is read here."""

    def __init__(self) -> None:
        self._call: Any = None
        self._finished = False

    async def _read(self) -> Any:
        """The next response; None at the end."""
        try:
            response = await self._call.read()
        except grpc.RpcError as error:
            self._finished = True
            raise from_rpc(error) from None
        if response is not grpc.aio.EOF:
            return response
        self._finished = True
        if await self._call.code() is not grpc.StatusCode.OK:
            raise from_rpc(_Ended(await _status_of(self._call)))
        return None

    async def close(self) -> None:
        if not self._finished:
            self._finished = True
            self._call.cancel()

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self.close()


async def _status_of(call: Any) -> tuple:
    return await call.code(), await call.details(), await call.trailing_metadata()


class _Ended(grpc.RpcError):
    """A call's end, in the shape that from_rpc reads."""

    def __init__(self, status: tuple):
        super().__init__()
        self._code, self._details, self._trailers = status

    def code(self) -> Any:
        return self._code

    def details(self) -> Any:
        return self._details

    def trailing_metadata(self) -> Any:
        return self._trailers


class Stream(_Call):
    """Rows as they are made: iterate over rows, or over `batches()`; `close` stops the statement."""

    def __init__(self, stub: Any, request: Any, timeout: Optional[float]):
        super().__init__()
        request.options.format = query_pb2.RESULT_FORMAT_COLUMNS
        self.rows_affected = 0
        self.row_count = 0
        #: The latest word of the server on how far it is; None before the first.
        self.progress: Optional[Progress] = None
        self._call = stub.ExecuteStream(request, timeout=timeout)

    async def _begin(self) -> None:
        response = await self._read()
        if response is None or response.event.WhichOneof("event") != "started":
            await self.close()
            raise Error("the stream did not begin with its columns", code="INTERNAL")
        started = response.event.started
        self.query_id: str = started.query_id
        self.columns: List[ColumnInfo] = [column_info(meta) for meta in started.columns]
        self._types = [meta.type.data_type for meta in started.columns]
        self._row_type = row_type(self.columns)

    async def batches(self) -> AsyncIterator[Batch]:
        """The batches, as columns."""
        while not self._finished:
            response = await self._read()
            if response is None:
                return
            event = response.event
            kind = event.WhichOneof("event")
            if kind == "batch":
                self.row_count += event.batch.row_count
                source, number = event.batch.column_batch, event.batch.number
                yield Batch(self.columns, self._types, self._row_type, source, number)
            elif kind == "progress":
                self.progress = progress_from(event.progress)
            elif kind == "completed":
                self.row_count = event.completed.rows
                self.rows_affected = event.completed.stats.rows_affected

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for batch in self.batches():
            for row in batch.rows():
                yield row


class Subscription(_Call):
    """An open subscription: iterate over it for messages and gaps, in order."""

    def __init__(self, stub: Any):
        super().__init__()
        self._call = stub.Subscribe()
        self._first: Any = None
        #: The latest word of the server on this subscription.
        self.state: Optional[State] = None

    async def _begin(self, options: pubsub_pb2.SubscribeOptions) -> None:
        await self._control(pubsub_pb2.SubscribeRequest(open=options))
        self._first = await self._next_response()

    async def _next_response(self) -> Any:
        response = await self._read()
        if response is not None and response.HasField("state"):
            self.state = state_from(response.state)
        return response

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            response = self._first if self._first is not None else await self._next_response()
            self._first = None
            if response is None:
                return
            for event in events_of(response):
                yield event

    async def _control(self, request: pubsub_pb2.SubscribeRequest) -> None:
        """A control that comes too late changes nothing; the next read says how the call ended."""
        try:
            await self._call.write(request)
        except (grpc.RpcError, asyncio.InvalidStateError):
            pass

    async def ack(self, message: Union[Message, int]) -> None:
        """Done with this delivery and all before it."""
        delivery_id = message.delivery_id if isinstance(message, Message) else message
        ack = pubsub_pb2.Ack(through_delivery_id=delivery_id)
        await self._control(pubsub_pb2.SubscribeRequest(ack=ack))

    async def pause(self) -> None:
        await self._control(pubsub_pb2.SubscribeRequest(pause=True))

    async def resume(self) -> None:
        await self._control(pubsub_pb2.SubscribeRequest(pause=False))

    async def drain(self) -> None:
        """What is buffered still comes, then the iteration ends."""
        await self._control(pubsub_pb2.SubscribeRequest(drain=True))
