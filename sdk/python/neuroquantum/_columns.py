"""Columns: Arrow-layout buffers into Python values, without numpy.

A batch costs one memoryview per column until its values are asked for; then one C-level conversion per
column, not one per cell.
"""

from __future__ import annotations

import datetime
import struct
import sys
import uuid
from collections import namedtuple
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Iterator, List, Optional, Sequence

from neuroquantum.v1 import types_pb2

_EPOCH = datetime.datetime(1970, 1, 1)
_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
_LITTLE = sys.byteorder == "little"

#: DataType -> format of one fixed-width value.
_FORMATS = {
    types_pb2.DATA_TYPE_INT16: "h",
    types_pb2.DATA_TYPE_INT32: "i",
    types_pb2.DATA_TYPE_INT64: "q",
    types_pb2.DATA_TYPE_FLOAT32: "f",
    types_pb2.DATA_TYPE_FLOAT64: "d",
    types_pb2.DATA_TYPE_TIMESTAMP: "q",
    types_pb2.DATA_TYPE_TIME: "q",
    types_pb2.DATA_TYPE_DATE: "i",
}


@dataclass(frozen=True)
class ColumnInfo:
    """What a result column is called and holds."""

    name: str
    type: str  # "INT64", "TEXT" …
    table: str
    not_null: bool
    primary_key: bool


@dataclass(frozen=True)
class Progress:
    """How far a stream is."""

    rows_sent: int
    rows_examined: int
    fraction: float
    rows_per_second: float
    flow_state: str


def column_info(meta: types_pb2.ColumnMeta) -> ColumnInfo:
    name = types_pb2.DataType.Name(meta.type.data_type)
    return ColumnInfo(
        name=meta.name,
        type=name[len("DATA_TYPE_") :],
        table=meta.table,
        not_null=meta.type.not_null,
        primary_key=meta.primary_key,
    )


def row_type(columns: Sequence[ColumnInfo]) -> type:
    """A named tuple with the columns' names; names that Python cannot have become _0, _1 …"""
    return namedtuple("Row", [column.name for column in columns], rename=True)


def _fixed(data: bytes, code: str, count: int) -> Sequence:
    if _LITTLE:
        return memoryview(data).cast(code)[:count]
    return struct.unpack_from(f"<{count}{code}", data)


def _bits(bitmap: bytes, count: int) -> List[bool]:
    return [bool(bitmap[i >> 3] >> (i & 7) & 1) for i in range(count)]


def _texts(data: bytes, offsets: Sequence[int], count: int) -> List[str]:
    text = data.decode("utf-8")
    if len(text) == len(data):  # ASCII: byte offsets are character offsets
        return [text[offsets[i] : offsets[i + 1]] for i in range(count)]
    return [data[offsets[i] : offsets[i + 1]].decode("utf-8") for i in range(count)]


def _time(us: int) -> datetime.time:
    seconds, micros = divmod(us, 1_000_000)
    return datetime.time(seconds // 3600 % 24, seconds // 60 % 60, seconds % 60, micros)


class Column:
    """One column of a batch."""

    __slots__ = ("info", "count", "_source", "_type", "_values")

    def __init__(self, info: ColumnInfo, data_type: int, source: types_pb2.Column, count: int):
        self.info = info
        self.count = count
        self._source = source
        self._type = data_type
        self._values: Optional[list] = None

    @property
    def buffer(self) -> memoryview:
        """The values' bytes as Arrow lays them out; typed for fixed-width types."""
        code = _FORMATS.get(self._type)
        data = memoryview(self._source.data)
        return data.cast(code) if code is not None and _LITTLE else data

    @property
    def null_count(self) -> int:
        return self._source.null_count

    @property
    def values(self) -> list:
        """The values as Python objects, None for NULL."""
        if self._values is None:
            self._values = self._decode()
        return self._values

    def _decode(self) -> list:
        values = self._decode_all()
        if self._source.null_count:
            validity = self._source.validity
            values = [
                value if validity[i >> 3] >> (i & 7) & 1 else None for i, value in enumerate(values)
            ]
        return values

    def _decode_all(self) -> list:
        kind, data, count = self._type, self._source.data, self.count
        if kind == types_pb2.DATA_TYPE_BOOL:
            return _bits(data, count)
        code = _FORMATS.get(kind)
        if code is not None:
            return self._convert(list(_fixed(data, code, count)))
        if kind == types_pb2.DATA_TYPE_UUID:
            return [uuid.UUID(bytes=data[16 * i : 16 * i + 16]) for i in range(count)]
        offsets = _fixed(self._source.offsets, "i", count + 1)
        if kind == types_pb2.DATA_TYPE_BYTES:
            return [data[offsets[i] : offsets[i + 1]] for i in range(count)]
        texts = _texts(data, offsets, count)
        if kind == types_pb2.DATA_TYPE_DECIMAL:
            return [Decimal(text) if text else None for text in texts]
        return texts

    def _convert(self, numbers: list) -> list:
        if self._type == types_pb2.DATA_TYPE_TIMESTAMP:
            delta = datetime.timedelta
            return [_EPOCH + delta(microseconds=us) for us in numbers]
        if self._type == types_pb2.DATA_TYPE_DATE:
            return [datetime.date.fromordinal(_EPOCH_DAY + days) for days in numbers]
        if self._type == types_pb2.DATA_TYPE_TIME:
            return [_time(us) for us in numbers]
        return numbers


class Batch:
    """Some rows of a result, by column."""

    __slots__ = ("columns", "row_count", "number", "_row_type")

    def __init__(
        self,
        infos: Sequence[ColumnInfo],
        types: Sequence[int],
        row: type,
        source: types_pb2.ColumnBatch,
        number: int = 1,
    ):
        if len(source.columns) != len(infos):
            raise ValueError("a batch with another number of columns than its result")
        self.row_count = source.row_count
        self.number = number
        self.columns = [
            Column(info, kind, column, source.row_count)
            for info, kind, column in zip(infos, types, source.columns)
        ]
        self._row_type = row

    def __len__(self) -> int:
        return self.row_count

    def __iter__(self) -> Iterator[Any]:
        return self.rows()

    def rows(self) -> Iterator[Any]:
        """The rows as named tuples."""
        make = self._row_type._make  # type: ignore[attr-defined]
        return map(make, zip(*(column.values for column in self.columns)))
