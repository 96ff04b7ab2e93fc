"""Client of NeuroQuantumDB.

    import neuroquantum

    with neuroquantum.connect("nq://localhost:50051") as client:
        client.execute("CREATE TABLE t (id INT PRIMARY KEY, name TEXT)")
        client.execute("INSERT INTO t VALUES ($1, $2)", [1, "one"])
        for row in client.stream("SELECT * FROM t"):
            print(row.name)

`neuroquantum.v1` holds the generated messages and stubs for everything that has no method here.
"""

from neuroquantum import aio
from neuroquantum._client import Client, IngestResult, Result, ServerInfo, Transaction, connect
from neuroquantum._columns import Batch, Column, ColumnInfo, Progress
from neuroquantum._pubsub import Gap, Message, Published, State, Subscription
from neuroquantum._stream import Stream
from neuroquantum.errors import (
    AlreadyExists,
    Cancelled,
    ConflictError,
    ConstraintViolation,
    DeadlineExceeded,
    Error,
    InternalError,
    InvalidArgument,
    NotFound,
    NotSupported,
    ResourceExhausted,
    SqlError,
    TransactionError,
    Unavailable,
)

__version__ = "0.1.0"

__all__ = [
    "AlreadyExists",
    "Batch",
    "Cancelled",
    "Client",
    "Column",
    "ColumnInfo",
    "ConflictError",
    "ConstraintViolation",
    "DeadlineExceeded",
    "Error",
    "Gap",
    "IngestResult",
    "InternalError",
    "InvalidArgument",
    "Message",
    "NotFound",
    "NotSupported",
    "Progress",
    "Published",
    "ResourceExhausted",
    "Result",
    "ServerInfo",
    "SqlError",
    "State",
    "Stream",
    "Subscription",
    "Transaction",
    "TransactionError",
    "Unavailable",
    "aio",
    "connect",
]
