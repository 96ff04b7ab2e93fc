"""Values: Python objects into the protos' Value, Parameter and Column."""

from __future__ import annotations

import datetime
import struct
import uuid
from decimal import Decimal
from typing import Any, Iterable, List, Mapping, Optional, Sequence, Union

from neuroquantum.v1 import types_pb2

Parameters = Union[Sequence[Any], Mapping[str, Any], None]

_EPOCH = datetime.datetime(1970, 1, 1)
_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
_MICROSECOND = datetime.timedelta(microseconds=1)


def timestamp_us(moment: datetime.datetime) -> int:
    if moment.tzinfo is not None:
        moment = moment.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    return (moment - _EPOCH) // _MICROSECOND


def time_us(clock: datetime.time) -> int:
    return ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1_000_000 + clock.microsecond


def to_value(thing: Any) -> types_pb2.Value:
    """The Value for a Python object. Order matters: bool is an int, datetime is a date."""
    if thing is None:
        return types_pb2.Value(null_value=types_pb2.NULL_VALUE_NULL)
    if isinstance(thing, bool):
        return types_pb2.Value(bool_value=thing)
    if isinstance(thing, int):
        return types_pb2.Value(int_value=thing)
    if isinstance(thing, float):
        return types_pb2.Value(double_value=thing)
    if isinstance(thing, str):
        return types_pb2.Value(text_value=thing)
    if isinstance(thing, (bytes, bytearray, memoryview)):
        return types_pb2.Value(bytes_value=bytes(thing))
    if isinstance(thing, datetime.datetime):
        return types_pb2.Value(timestamp_us=timestamp_us(thing))
    if isinstance(thing, datetime.date):
        return types_pb2.Value(date_days=thing.toordinal() - _EPOCH_DAY)
    if isinstance(thing, datetime.time):
        return types_pb2.Value(time_us=time_us(thing))
    if isinstance(thing, uuid.UUID):
        return types_pb2.Value(uuid_value=thing.bytes)
    if isinstance(thing, Decimal):
        return types_pb2.Value(decimal_value=str(thing))
    raise TypeError(f"no SQL value for {type(thing).__name__}")


def to_parameters(parameters: Parameters) -> List[types_pb2.Parameter]:
    """Named parameters from a mapping, $1, $2 … from a sequence."""
    if parameters is None:
        return []
    if isinstance(parameters, Mapping):
        return [
            types_pb2.Parameter(name=name, value=to_value(value))
            for name, value in parameters.items()
        ]
    if isinstance(parameters, (str, bytes)):
        raise TypeError("parameters are a sequence or a mapping, not one text")
    return [
        types_pb2.Parameter(position=position, value=to_value(value))
        for position, value in enumerate(parameters, 1)
    ]


def _pack_bits(bits: Sequence[bool]) -> bytes:
    packed = bytearray((len(bits) + 7) // 8)
    for i, bit in enumerate(bits):
        if bit:
            packed[i >> 3] |= 1 << (i & 7)
    return bytes(packed)


def _integer(value: Any) -> int:
    if isinstance(value, datetime.datetime):
        return timestamp_us(value)
    if isinstance(value, datetime.date):
        return value.toordinal() - _EPOCH_DAY
    if isinstance(value, datetime.time):
        return time_us(value)
    return int(value)


_WIDTHS = {
    types_pb2.DATA_TYPE_INT16: "h",
    types_pb2.DATA_TYPE_INT32: "i",
    types_pb2.DATA_TYPE_INT64: "q",
    types_pb2.DATA_TYPE_FLOAT32: "f",
    types_pb2.DATA_TYPE_FLOAT64: "d",
    types_pb2.DATA_TYPE_TIMESTAMP: "q",
    types_pb2.DATA_TYPE_TIME: "q",
    types_pb2.DATA_TYPE_DATE: "i",
}


def to_column(values: Sequence[Any], data_type: int) -> types_pb2.Column:
    """A PLAIN column of the type; None is NULL."""
    column = types_pb2.Column(encoding=types_pb2.ENCODING_PLAIN)
    nulls = sum(value is None for value in values)
    if nulls:
        column.null_count = nulls
        column.validity = _pack_bits([value is not None for value in values])
    code = _WIDTHS.get(data_type)
    if data_type == types_pb2.DATA_TYPE_BOOL:
        column.data = _pack_bits([bool(value) for value in values])
    elif code in ("f", "d"):
        numbers: Iterable = (0.0 if value is None else value for value in values)
        column.data = struct.pack(f"<{len(values)}{code}", *numbers)
    elif code is not None:
        numbers = (0 if value is None else _integer(value) for value in values)
        column.data = struct.pack(f"<{len(values)}{code}", *numbers)
    elif data_type == types_pb2.DATA_TYPE_UUID:
        column.data = b"".join(bytes(16) if value is None else value.bytes for value in values)
    else:
        pieces = [_piece(value) for value in values]
        offsets, end = [0], 0
        for piece in pieces:
            end += len(piece)
            offsets.append(end)
        column.data = b"".join(pieces)
        column.offsets = struct.pack(f"<{len(offsets)}i", *offsets)
    return column


def _piece(value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    return str(value).encode("utf-8")


def type_of_values(values: Iterable[Any]) -> int:
    """The type that a column of these values has, when nobody said."""
    found: Optional[int] = None
    for value in values:
        if value is None:
            continue
        kind = _type_of(value)
        if found is None or (found == types_pb2.DATA_TYPE_INT64 and kind == types_pb2.DATA_TYPE_FLOAT64):
            found = kind
        elif kind != found and not (
            found == types_pb2.DATA_TYPE_FLOAT64 and kind == types_pb2.DATA_TYPE_INT64
        ):
            return types_pb2.DATA_TYPE_TEXT
    return found if found is not None else types_pb2.DATA_TYPE_TEXT


def _type_of(value: Any) -> int:
    for kind, data_type in (
        (bool, types_pb2.DATA_TYPE_BOOL),
        (int, types_pb2.DATA_TYPE_INT64),
        (float, types_pb2.DATA_TYPE_FLOAT64),
        ((bytes, bytearray, memoryview), types_pb2.DATA_TYPE_BYTES),
        (datetime.datetime, types_pb2.DATA_TYPE_TIMESTAMP),
        (datetime.date, types_pb2.DATA_TYPE_DATE),
        (datetime.time, types_pb2.DATA_TYPE_TIME),
        (uuid.UUID, types_pb2.DATA_TYPE_UUID),
    ):
        if isinstance(value, kind):
            return data_type
    return types_pb2.DATA_TYPE_TEXT
