"""Stream: a result that arrives in batches, paced by the reader.

ExecuteStream is enough to read to the end. Interact adds a way back: credits, pause, resume, cancel.
"""

from __future__ import annotations

import queue
from typing import Any, Callable, Iterator, List, Optional

import grpc

from neuroquantum._columns import Batch, ColumnInfo, Progress, column_info, row_type
from neuroquantum.errors import Error, from_rpc
from neuroquantum.v1 import query_pb2, stream_pb2


class RequestQueue:
    """Requests of a call whose client half stays open, as the iterator gRPC wants."""

    def __init__(self) -> None:
        self._queue: "queue.SimpleQueue[Any]" = queue.SimpleQueue()

    def put(self, request: Any) -> None:
        self._queue.put(request)

    def close(self) -> None:
        self._queue.put(None)

    def __iter__(self) -> "RequestQueue":
        return self

    def __next__(self) -> Any:
        request = self._queue.get()
        if request is None:
            raise StopIteration
        return request


def progress_from(message: stream_pb2.Progress) -> Progress:
    state = stream_pb2.FlowState.Name(message.flow_state)
    return Progress(
        rows_sent=message.rows_sent,
        rows_examined=message.rows_examined,
        fraction=message.fraction,
        rows_per_second=message.rows_per_second,
        flow_state=state[len("FLOW_STATE_") :],
    )


class Stream:
    """Rows as they are made. Iterate over rows, or over `batches()`; close it, or use it in `with`.

    With `paced`, the server is at most `window` batches ahead of the reader, and pause, resume and
    update work. Without, only the transport paces it.
    """

    def __init__(
        self,
        stub: Any,
        request: stream_pb2.ExecuteStreamRequest,
        *,
        window: int = 0,
        timeout: Optional[float] = None,
        on_progress: Optional[Callable[[Progress], None]] = None,
    ):
        self._on_progress = on_progress
        self._window = window
        self._granted = window
        self._requests: Optional[RequestQueue] = None
        self._finished = False
        self.rows_affected = 0
        self.row_count = 0
        #: The latest word of the server on how far it is; None before the first.
        self.progress: Optional[Progress] = None
        request.options.format = query_pb2.RESULT_FORMAT_COLUMNS
        if window:
            request.stream.manual_grant = True
            request.stream.initial_grant = window
            self._requests = RequestQueue()
            self._requests.put(stream_pb2.InteractRequest(start=request))
            self._call = stub.Interact(self._requests, timeout=timeout)
        else:
            self._call = stub.ExecuteStream(request, timeout=timeout)
        self._begin()

    def _begin(self) -> None:
        event = self._next_event()
        if event is None or event.WhichOneof("event") != "started":
            self.close()
            raise Error("the stream did not begin with its columns", code="INTERNAL")
        started = event.started
        self.query_id: str = started.query_id
        self.stream_id: str = started.stream_id
        self.estimated_rows: int = started.estimated_rows
        self.columns: List[ColumnInfo] = [column_info(meta) for meta in started.columns]
        self._types = [meta.type.data_type for meta in started.columns]
        self._row_type = row_type(self.columns)

    def _next_event(self) -> Optional[stream_pb2.StreamEvent]:
        try:
            return next(self._call).event
        except StopIteration:
            self._end()
            return None
        except grpc.RpcError as error:
            self._end()
            raise from_rpc(error) from None

    def _end(self) -> None:
        self._finished = True
        if self._requests is not None:
            self._requests.close()

    def batches(self) -> Iterator[Batch]:
        """The batches, as columns. Every batch taken lets the server make another one."""
        while not self._finished:
            event = self._next_event()
            if event is None:
                return
            kind = event.WhichOneof("event")
            if kind == "batch":
                self._grant(event.batch.number)
                self.row_count += event.batch.row_count
                yield Batch(
                    self.columns,
                    self._types,
                    self._row_type,
                    event.batch.column_batch,
                    event.batch.number,
                )
            elif kind == "progress":
                self.progress = progress_from(event.progress)
                if self._on_progress is not None:
                    self._on_progress(self.progress)
            elif kind == "completed":
                self.row_count = event.completed.rows
                self.rows_affected = event.completed.stats.rows_affected

    def __iter__(self) -> Iterator[Any]:
        for batch in self.batches():
            yield from batch.rows()

    def _grant(self, taken: int) -> None:
        """Keeps the server `window` batches ahead, telling it in steps of half a window."""
        if self._requests is None or taken + self._window < self._granted + (self._window + 1) // 2:
            return
        self._granted = taken + self._window
        flow = stream_pb2.Flow(grant_through=self._granted, ack_through=taken)
        self._requests.put(stream_pb2.InteractRequest(flow=flow))

    def _control(self, request: stream_pb2.InteractRequest) -> None:
        if self._requests is None:
            raise ValueError("only a stream opened with paced=True can be controlled")
        self._requests.put(request)

    def pause(self) -> None:
        """The server sends no batch after the one on its way."""
        self._control(stream_pb2.InteractRequest(pause=True))

    def resume(self) -> None:
        self._control(stream_pb2.InteractRequest(pause=False))

    def update(self, *, batch_rows: int = 0, batch_bytes: int = 0) -> None:
        """Another size for the batches to come."""
        options = stream_pb2.StreamOptions(batch_rows=batch_rows, batch_bytes=batch_bytes)
        self._control(stream_pb2.InteractRequest(update=options))

    def cancel(self) -> None:
        """Stops the statement; the next read raises Cancelled."""
        if self._requests is not None:
            self._requests.put(stream_pb2.InteractRequest(cancel=True))
        else:
            self._call.cancel()

    def close(self) -> None:
        """Ends the stream; the statement stops if it still runs."""
        if not self._finished:
            self._call.cancel()
            self._end()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()
