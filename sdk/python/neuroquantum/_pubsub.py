"""Publish/subscribe: messages, the gaps between them, and a subscription that can be steered."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Optional, Sequence, Union

import grpc

from neuroquantum._stream import RequestQueue
from neuroquantum.errors import from_rpc
from neuroquantum.v1 import pubsub_pb2, stream_pb2

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


@dataclass(frozen=True)
class Message:
    """A message, as delivered."""

    channel: str
    sequence: int
    payload: bytes
    key: str
    attributes: Mapping[str, str]
    time: datetime.datetime
    delivery_id: int

    @property
    def text(self) -> str:
        return self.payload.decode("utf-8")


@dataclass(frozen=True)
class Gap:
    """Messages of a channel that this subscriber did not receive, in their place."""

    channel: str
    first_sequence: int
    last_sequence: int
    count: int
    reason: str
    recoverable: bool


@dataclass(frozen=True)
class State:
    """The subscription as the server sees it."""

    session_id: str
    flow_state: str
    buffer_fill: float
    dropped_total: int
    pending: int


@dataclass(frozen=True)
class Published:
    """How a message was published."""

    sequence: int
    receivers: int
    duplicate: bool


Event = Union[Message, Gap]


def message_from(message: pubsub_pb2.Message, delivery_id: int = 0) -> Message:
    return Message(
        channel=message.channel,
        sequence=message.sequence,
        payload=message.payload,
        key=message.key,
        attributes=dict(message.attributes),
        time=_EPOCH + datetime.timedelta(microseconds=message.publish_time_us),
        delivery_id=delivery_id,
    )


def start_position(history: int, from_earliest: bool) -> Optional[pubsub_pb2.StartPosition]:
    if from_earliest:
        return pubsub_pb2.StartPosition(earliest=True)
    return pubsub_pb2.StartPosition(last_n=history) if history else None


def subscribe_options(
    patterns: Sequence[str],
    *,
    history: int = 0,
    from_earliest: bool = False,
    window: int = 0,
    limits: Optional[pubsub_pb2.FlowLimits] = None,
) -> pubsub_pb2.SubscribeOptions:
    options = pubsub_pb2.SubscribeOptions(
        patterns=patterns, start=start_position(history, from_earliest)
    )
    if limits is not None:
        options.limits.CopyFrom(limits)
    if window:
        options.ack_mode = pubsub_pb2.ACK_MODE_CUMULATIVE
        options.limits.max_outstanding_messages = window
    return options


def state_from(state: pubsub_pb2.SubscribeState) -> State:
    return State(
        session_id=state.session_id,
        flow_state=stream_pb2.FlowState.Name(state.flow_state)[len("FLOW_STATE_") :],
        buffer_fill=state.buffer_fill,
        dropped_total=state.dropped_total,
        pending=state.pending,
    )


def events_of(response: Any) -> Iterator[Event]:
    """A response's losses, then its messages."""
    for gap in response.gaps:
        yield Gap(
            channel=gap.channel,
            first_sequence=gap.first_sequence,
            last_sequence=gap.last_sequence,
            count=gap.count,
            reason=gap.reason,
            recoverable=gap.recoverable,
        )
    for place, message in enumerate(response.messages):
        yield message_from(message, response.first_delivery_id + place)


class Subscription:
    """An open subscription: iterate over it for messages and gaps, in order.

    With `window`, the server delivers at most so many messages ahead of `ack`. Close it, or use it in
    `with`. Controls may be called from another thread than the one that iterates.
    """

    def __init__(self, stub: Any, options: pubsub_pb2.SubscribeOptions, *, both_ways: bool = True):
        self._finished = False
        self._requests: Optional[RequestQueue] = None
        #: The latest word of the server on this subscription.
        self.state: Optional[State] = None
        if both_ways:
            self._requests = RequestQueue()
            self._requests.put(pubsub_pb2.SubscribeRequest(open=options))
            self._call = stub.Subscribe(self._requests)
        else:
            self._call = stub.Listen(pubsub_pb2.ListenRequest(options=options))
        self._first = self._next_response()

    def _next_response(self) -> Optional[Any]:
        try:
            response = next(self._call)
        except StopIteration:
            self._end()
            return None
        except grpc.RpcError as error:
            was_finished = self._finished
            self._end()
            if was_finished and error.code() == grpc.StatusCode.CANCELLED:
                return None
            raise from_rpc(error) from None
        if response.HasField("state"):
            self.state = state_from(response.state)
        return response

    def _end(self) -> None:
        self._finished = True
        if self._requests is not None:
            self._requests.close()

    def __iter__(self) -> Iterator[Event]:
        while True:
            response = self._first if self._first is not None else self._next_response()
            self._first = None
            if response is None:
                return
            yield from events_of(response)

    def _control(self, request: pubsub_pb2.SubscribeRequest) -> None:
        if self._requests is None:
            raise ValueError("a subscription opened by listen() only receives")
        self._requests.put(request)

    def ack(self, message: Union[Message, int]) -> None:
        """Done with this delivery and all before it."""
        delivery_id = message.delivery_id if isinstance(message, Message) else message
        ack = pubsub_pb2.Ack(through_delivery_id=delivery_id)
        self._control(pubsub_pb2.SubscribeRequest(ack=ack))

    def pause(self) -> None:
        self._control(pubsub_pb2.SubscribeRequest(pause=True))

    def resume(self) -> None:
        self._control(pubsub_pb2.SubscribeRequest(pause=False))

    def add(self, *patterns: str) -> None:
        options = pubsub_pb2.SubscribeOptions(patterns=patterns)
        self._control(pubsub_pb2.SubscribeRequest(add_patterns=options))

    def remove(self, *patterns: str) -> None:
        options = pubsub_pb2.SubscribeOptions(patterns=patterns)
        self._control(pubsub_pb2.SubscribeRequest(remove_patterns=options))

    def drain(self) -> None:
        """What is buffered still comes, then the iteration ends."""
        self._control(pubsub_pb2.SubscribeRequest(drain=True))

    def close(self) -> None:
        if not self._finished:
            self._end()
            self._call.cancel()

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()
