"""Values and columns, there and back, without a server."""

import datetime
import uuid

import pytest

from neuroquantum._columns import Batch, column_info, row_type
from neuroquantum._values import timestamp_us, to_column, to_parameters, to_value, type_of_values
from neuroquantum.v1 import types_pb2

MOMENT = datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)

CASES = {
    "BOOL": [True, None, False, True, True, True, True, True, True],
    "INT16": [-32768, 32767, None],
    "INT32": [-(2**31), 2**31 - 1, 0],
    "INT64": [-(2**63), 2**63 - 1, None],
    "FLOAT32": [0.5, None, -1.25],
    "FLOAT64": [0.1, 1e308, None],
    "TEXT": ["", "ascii", None, "x"],
    "BYTES": [b"", b"\x00\xff", None],
    "TIMESTAMP": [MOMENT, None, datetime.datetime(2024, 2, 29, 12)],
    "DATE": [datetime.date(1970, 1, 1), datetime.date(1, 1, 1), None],
    "TIME": [datetime.time(23, 59, 59, 1), None],
    "UUID": [uuid.UUID(int=0), None, uuid.UUID(int=2**128 - 1)],
}


def round_trip(values, type_name):
    kind = types_pb2.DataType.Value(f"DATA_TYPE_{type_name}")
    meta = types_pb2.ColumnMeta(name="c", type=types_pb2.Type(data_type=kind))
    infos = [column_info(meta)]
    message = types_pb2.ColumnBatch(row_count=len(values), columns=[to_column(values, kind)])
    received = types_pb2.ColumnBatch.FromString(message.SerializeToString())
    return Batch(infos, [kind], row_type(infos), received)


@pytest.mark.parametrize("type_name", CASES)
def test_columns_come_back_as_they_went(type_name):
    batch = round_trip(CASES[type_name], type_name)
    assert [row.c for row in batch] == CASES[type_name]
    assert batch.columns[0].null_count == CASES[type_name].count(None)


def test_texts_that_are_not_ascii_come_back_too():
    values = ["é", None, "日本", "", "a"]
    assert [row.c for row in round_trip(values, "TEXT")] == values


def test_fixed_width_buffers_are_readable_without_copying():
    batch = round_trip([1, 2, 3], "INT64")
    assert batch.columns[0].buffer.tolist() == [1, 2, 3]
    assert batch.columns[0].buffer.format == "q"


def test_a_batch_with_other_columns_than_its_result_is_refused():
    with pytest.raises(ValueError):
        Batch([], [], row_type([]), types_pb2.ColumnBatch(columns=[types_pb2.Column()]))


def test_parameters_are_positional_or_named():
    positional = to_parameters([1, "a"])
    assert [(p.position, p.name) for p in positional] == [(1, ""), (2, "")]
    named = to_parameters({"id": None})
    assert named[0].name == "id"
    assert named[0].value.WhichOneof("kind") == "null_value"
    with pytest.raises(TypeError):
        to_parameters("ab")


def test_a_bool_is_no_integer_and_a_datetime_no_date():
    assert to_value(True).WhichOneof("kind") == "bool_value"
    assert to_value(MOMENT).timestamp_us == -1
    assert to_value(datetime.date(1970, 1, 2)).date_days == 1
    with pytest.raises(TypeError):
        to_value(object())


def test_aware_datetimes_become_utc():
    zone = datetime.timezone(datetime.timedelta(hours=2))
    assert timestamp_us(datetime.datetime(1970, 1, 1, 2, tzinfo=zone)) == 0


def test_columns_take_the_type_of_their_values():
    name = lambda values: types_pb2.DataType.Name(type_of_values(values))
    assert name([None, 1]) == "DATA_TYPE_INT64"
    assert name([1, 0.5]) == "DATA_TYPE_FLOAT64"
    assert name([0.5, 1]) == "DATA_TYPE_FLOAT64"
    assert name([True, 1]) == "DATA_TYPE_TEXT"
    assert name([None]) == "DATA_TYPE_TEXT"
    assert name([MOMENT]) == "DATA_TYPE_TIMESTAMP"
