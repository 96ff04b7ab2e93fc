"""Client: one connection and everything that can be asked over it. Safe to share between threads."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Union
from urllib.parse import urlsplit

import grpc

from neuroquantum._columns import Batch, ColumnInfo, Progress, column_info, row_type
from neuroquantum._pubsub import Message, Published, Subscription, message_from, start_position
from neuroquantum._pubsub import subscribe_options
from neuroquantum._stream import Stream
from neuroquantum._values import Parameters, to_column, to_parameters, type_of_values
from neuroquantum.errors import Error, from_rpc
from neuroquantum.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    pubsub_pb2,
    pubsub_pb2_grpc,
    query_pb2,
    query_pb2_grpc,
    stream_pb2,
    stream_pb2_grpc,
    types_pb2,
)

_INGEST_ROWS = 8192
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.primary_user_agent", "neuroquantum-python/0.1.0"),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
]


@dataclass(frozen=True)
class Result:
    """One statement's result, whole."""

    columns: List[ColumnInfo]
    rows: List[Any]
    rows_affected: int
    query_id: str
    transaction_id: bytes

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def one(self) -> Any:
        """The only row."""
        if len(self.rows) != 1:
            raise ValueError(f"{len(self.rows)} rows where one was expected")
        return self.rows[0]

    def scalar(self) -> Any:
        """The only value of the only row."""
        return self.one()[0]


@dataclass(frozen=True)
class IngestResult:
    rows_committed: int
    next_offset: int
    rows_skipped: int


@dataclass(frozen=True)
class ServerInfo:
    version: str
    build: str
    platform: str
    server_id: str
    features: List[str]
    limits: Dict[str, int]


def target_of(uri: str) -> str:
    """nq://host[:port], host[:port] or unix:/path, as gRPC wants it."""
    if uri.startswith("unix:"):
        return uri
    parts = urlsplit(uri if "://" in uri else f"nq://{uri}")
    if parts.scheme != "nq" or parts.path not in ("", "/") or parts.query or "@" in parts.netloc:
        raise ValueError(f"cannot use {uri!r}: the address is nq://host:port or unix:/path")
    if not parts.hostname:
        raise ValueError(f"no host in {uri!r}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"dns:{host}:{parts.port or 50051}"


def connect(uri: str = "nq://localhost:50051", *, timeout: Optional[float] = None) -> "Client":
    """A client for the server at `uri`; `timeout` in seconds bounds each unary call."""
    return Client(uri, timeout=timeout)


class Client:
    """A connection. It is made with the first call."""

    def __init__(self, uri: str, *, timeout: Optional[float] = None):
        self._timeout = timeout
        self.channel = grpc.insecure_channel(target_of(uri), options=CHANNEL_OPTIONS)
        #: The generated stubs, for what has no method here.
        self.query_service = query_pb2_grpc.QueryServiceStub(self.channel)
        self.stream_service = stream_pb2_grpc.StreamServiceStub(self.channel)
        self.pubsub_service = pubsub_pb2_grpc.PubSubServiceStub(self.channel)
        self.admin_service = admin_pb2_grpc.AdminServiceStub(self.channel)

    def close(self) -> None:
        self.channel.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def _unary(self, method: Callable, request: Any, timeout: Optional[float] = None) -> Any:
        try:
            return method(request, timeout=timeout if timeout is not None else self._timeout)
        except grpc.RpcError as error:
            raise from_rpc(error) from None

    # ---- Statements ----

    def execute(
        self,
        sql: str,
        parameters: Parameters = None,
        *,
        transaction: Optional["Transaction"] = None,
        request_id: str = "",
        timeout: Optional[float] = None,
    ) -> Result:
        """Runs one statement and returns its whole result. Large results belong into `stream`."""
        request = execute_request(sql, parameters, _id_of(transaction), request_id)
        return result_from(self._unary(self.query_service.Execute, request, timeout))

    def execute_many(
        self,
        sql: str,
        parameter_sets: Iterable[Union[Sequence[Any], Mapping[str, Any]]],
        *,
        transaction: Optional["Transaction"] = None,
    ) -> int:
        """Runs a statement once for each set, all in one transaction; returns the rows affected."""
        statements = [
            query_pb2.Statement(sql=sql, parameters=to_parameters(parameters))
            for parameters in parameter_sets
        ]
        request = query_pb2.ExecuteBatchRequest(
            statements=statements, transaction=_selector(_id_of(transaction))
        )
        response = self._unary(self.query_service.ExecuteBatch, request)
        return sum(result.rows_affected for result in response.results)

    def stream(
        self,
        sql: str,
        parameters: Parameters = None,
        *,
        paced: bool = False,
        window: int = 8,
        batch_rows: int = 0,
        transaction: Optional["Transaction"] = None,
        timeout: Optional[float] = None,
        on_progress: Optional[Callable[[Progress], None]] = None,
    ) -> Stream:
        """Runs one statement and returns its rows as they are made; see Stream."""
        request = stream_request(sql, parameters, _id_of(transaction), batch_rows)
        return Stream(
            self.stream_service,
            request,
            window=window if paced else 0,
            timeout=timeout,
            on_progress=on_progress,
        )

    def cancel(self, query_id: str, reason: str = "") -> bool:
        """Stops a running statement; False when it was not running."""
        request = query_pb2.CancelQueryRequest(query_id=query_id, reason=reason)
        return self._unary(self.query_service.CancelQuery, request).found

    @contextmanager
    def transaction(self, *, read_only: bool = False) -> Iterator["Transaction"]:
        """A transaction: committed at the end of the block, rolled back when it raises."""
        options = query_pb2.TransactionOptions(read_only=read_only)
        request = query_pb2.BeginTransactionRequest(options=options)
        response = self._unary(self.query_service.BeginTransaction, request)
        transaction = Transaction(self, response.transaction_id)
        try:
            yield transaction
        except BaseException:
            transaction.rollback()
            raise
        else:
            transaction.commit()

    # ---- Bulk load ----

    def ingest(
        self,
        table: str,
        rows: Iterable[Sequence[Any]],
        *,
        columns: Sequence[str],
        types: Optional[Sequence[str]] = None,
        ingest_id: str = "",
        upsert: bool = False,
        rows_per_transaction: int = 0,
        resume: bool = True,
    ) -> IngestResult:
        """Appends rows to a table. With `ingest_id` a load that was cut goes on where it ended: rows
        the server has are skipped. `types` ("INT64", "TEXT" …) default to those of the first batch."""
        source = iter(rows)
        first = list(itertools.islice(source, _INGEST_ROWS))
        kinds = _ingest_types(columns, types, first)
        header = query_pb2.IngestHeader(
            table=table,
            columns=[
                types_pb2.ColumnMeta(name=name, type=types_pb2.Type(data_type=kind))
                for name, kind in zip(columns, kinds)
            ],
            ingest_id=ingest_id,
            upsert=upsert,
            rows_per_transaction=rows_per_transaction,
        )
        offset = self._ingest_offset(header) if ingest_id and resume else 0
        requests = _ingest_requests(header, itertools.chain(first, source), kinds, offset)
        response = self._unary(self.query_service.Ingest, requests)
        return IngestResult(
            response.rows_committed, response.next_offset, response.rows_skipped_duplicate
        )

    def _ingest_offset(self, header: query_pb2.IngestHeader) -> int:
        requests = iter([query_pb2.IngestRequest(header=header)])
        return self._unary(self.query_service.Ingest, requests).next_offset

    # ---- Publish and subscribe ----

    def publish(
        self,
        channel: str,
        payload: Union[bytes, str],
        *,
        key: str = "",
        attributes: Optional[Mapping[str, str]] = None,
        message_id: str = "",
    ) -> Published:
        request = publish_request(channel, payload, key, attributes, message_id)
        result = self._unary(self.pubsub_service.Publish, request).results[0]
        return Published(result.sequence, result.receivers, result.duplicate)

    def subscribe(
        self,
        *patterns: str,
        history: int = 0,
        from_earliest: bool = False,
        window: int = 0,
        limits: Optional[pubsub_pb2.FlowLimits] = None,
    ) -> Subscription:
        """Receives what is published to matching channels; returns once the server has confirmed."""
        options = subscribe_options(
            patterns, history=history, from_earliest=from_earliest, window=window, limits=limits
        )
        return Subscription(self.pubsub_service, options)

    def listen(
        self, *patterns: str, history: int = 0, from_earliest: bool = False
    ) -> Subscription:
        """subscribe, without a way back."""
        options = subscribe_options(patterns, history=history, from_earliest=from_earliest)
        return Subscription(self.pubsub_service, options, both_ways=False)

    def history(
        self, channel: str, *, last: int = 0, page_size: int = 1000
    ) -> Iterator[Message]:
        """The messages a channel still keeps, oldest first."""
        request = pubsub_pb2.GetHistoryRequest(
            channel=channel, start=start_position(last, last == 0), page_size=page_size
        )
        while True:
            response = self._unary(self.pubsub_service.GetHistory, request)
            yield from (message_from(message) for message in response.messages)
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token

    # ---- What there is ----

    def tables(self, pattern: str = "") -> Iterator[query_pb2.TableInfo]:
        """The tables whose name matches the LIKE pattern."""
        request = query_pb2.ListTablesRequest(name_pattern=pattern, page_size=1000)
        while True:
            response = self._unary(self.query_service.ListTables, request)
            yield from response.tables
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token

    def table(self, name: str) -> query_pb2.GetTableResponse:
        """A table's columns, keys and constraints."""
        return self._unary(self.query_service.GetTable, query_pb2.GetTableRequest(name=name))

    def server_info(self) -> ServerInfo:
        info = self._unary(self.admin_service.GetServerInfo, admin_pb2.GetServerInfoRequest())
        return ServerInfo(
            info.version,
            info.build,
            info.platform,
            info.server_id,
            list(info.features),
            dict(info.limits),
        )


class Transaction:
    """An open transaction; made by Client.transaction."""

    def __init__(self, client: Client, transaction_id: bytes):
        self.client = client
        self.id = transaction_id
        self.is_open = True

    def execute(self, sql: str, parameters: Parameters = None, **options: Any) -> Result:
        return self.client.execute(sql, parameters, transaction=self, **options)

    def stream(self, sql: str, parameters: Parameters = None, **options: Any) -> Stream:
        return self.client.stream(sql, parameters, transaction=self, **options)

    def commit(self, request_id: str = "") -> int:
        """Makes it durable; returns the log position. Does nothing when it has ended."""
        if not self.is_open:
            return 0
        self.is_open = False
        request = query_pb2.CommitTransactionRequest(transaction_id=self.id, request_id=request_id)
        service = self.client.query_service
        return self.client._unary(service.CommitTransaction, request).commit_lsn

    def rollback(self) -> None:
        """Undoes it. Never raises: what cannot be reached is undone by the server."""
        if not self.is_open:
            return
        self.is_open = False
        request = query_pb2.RollbackTransactionRequest(transaction_id=self.id)
        try:
            self.client._unary(self.client.query_service.RollbackTransaction, request)
        except Error:
            pass


# ---- What the synchronous and the asynchronous client share ----


def _id_of(transaction: Any) -> bytes:
    return transaction.id if transaction is not None else b""


def _selector(transaction_id: bytes) -> Optional[query_pb2.TransactionSelector]:
    if not transaction_id:
        return None
    return query_pb2.TransactionSelector(transaction_id=transaction_id)


def execute_request(
    sql: str, parameters: Parameters, transaction_id: bytes, request_id: str = ""
) -> query_pb2.ExecuteRequest:
    return query_pb2.ExecuteRequest(
        statement=query_pb2.Statement(sql=sql, parameters=to_parameters(parameters)),
        transaction=_selector(transaction_id),
        options=query_pb2.QueryOptions(format=query_pb2.RESULT_FORMAT_COLUMNS),
        request_id=request_id,
    )


def result_from(response: query_pb2.ExecuteResponse) -> Result:
    columns = [column_info(meta) for meta in response.columns]
    rows: List[Any] = []
    if response.WhichOneof("result") == "column_batch":
        types = [meta.type.data_type for meta in response.columns]
        rows = list(Batch(columns, types, row_type(columns), response.column_batch).rows())
    return Result(
        columns, rows, response.rows_affected, response.query_id, response.transaction_id
    )


def stream_request(
    sql: str, parameters: Parameters, transaction_id: bytes, batch_rows: int
) -> stream_pb2.ExecuteStreamRequest:
    return stream_pb2.ExecuteStreamRequest(
        statement=query_pb2.Statement(sql=sql, parameters=to_parameters(parameters)),
        transaction=_selector(transaction_id),
        stream=stream_pb2.StreamOptions(batch_rows=batch_rows),
    )


def publish_request(
    channel: str,
    payload: Union[bytes, str],
    key: str,
    attributes: Optional[Mapping[str, str]],
    message_id: str,
) -> pubsub_pb2.PublishRequest:
    message = pubsub_pb2.Message(
        channel=channel,
        payload=payload.encode("utf-8") if isinstance(payload, str) else payload,
        key=key,
        attributes=attributes or {},
        message_id=message_id,
    )
    return pubsub_pb2.PublishRequest(messages=[message])


def _ingest_types(
    columns: Sequence[str], types: Optional[Sequence[str]], first: List[Sequence[Any]]
) -> List[int]:
    if types is not None:
        if len(types) != len(columns):
            raise ValueError("as many types as columns, please")
        return [types_pb2.DataType.Value(f"DATA_TYPE_{name.upper()}") for name in types]
    for row in first:
        if len(row) != len(columns):
            raise ValueError(f"a row of {len(row)} values for {len(columns)} columns: {row!r}")
    return [type_of_values(row[i] for row in first) for i in range(len(columns))]


def _ingest_requests(
    header: query_pb2.IngestHeader, rows: Iterable[Sequence[Any]], kinds: List[int], offset: int
) -> Iterator[query_pb2.IngestRequest]:
    yield query_pb2.IngestRequest(header=header)
    source = itertools.islice(rows, offset, None)
    while True:
        chunk = list(itertools.islice(source, _INGEST_ROWS))
        if not chunk:
            return
        for row in chunk:
            if len(row) != len(kinds):
                raise ValueError(f"a row of {len(row)} values for {len(kinds)} columns: {row!r}")
        columns = [to_column(values, kind) for values, kind in zip(zip(*chunk), kinds)]
        batch = types_pb2.ColumnBatch(row_count=len(chunk), columns=columns)
        yield query_pb2.IngestRequest(column_batch=batch, offset=offset)
        offset += len(chunk)
