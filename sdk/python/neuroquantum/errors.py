"""Errors: one class per kind of failure; `reason` tells them apart to the last one.

A call that fails raises a subclass of Error chosen by the server's ErrorInfo.reason, or by the gRPC code
when the server gave none. `code` is the gRPC code's name, `sqlstate` PostgreSQL's where it has one.
"""

from __future__ import annotations

from typing import Optional

import grpc
from google.rpc import error_details_pb2, status_pb2

from neuroquantum.v1 import types_pb2


class Error(Exception):
    """Any failure of a call."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "UNKNOWN",
        reason: str = "",
        sqlstate: str = "",
        line: int = 0,
        column: int = 0,
        token: str = "",
        hint: str = "",
    ):
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.sqlstate = sqlstate
        #: Where in the statement, from 1; 0 when it does not concern one place.
        self.line = line
        self.column = column
        self.token = token
        self.hint = hint

    @property
    def retryable(self) -> bool:
        """True when the same request may succeed if it is sent again."""
        return self.code in ("UNAVAILABLE", "ABORTED") or (
            self.code == "RESOURCE_EXHAUSTED"
            and self.reason not in ("RESULT_TOO_LARGE", "MESSAGE_TOO_LARGE")
        )

    def __str__(self) -> str:
        place = f" at line {self.line}, column {self.column}" if self.line else ""
        name = f" [{self.reason}{' ' + self.sqlstate if self.sqlstate else ''}]" if self.reason else ""
        return f"{self.message}{place}{name}"


class InvalidArgument(Error):
    """The request can never work as it is."""


class SqlError(InvalidArgument):
    """The statement does not parse, or does not fit the tables or parameters."""


class NotFound(Error):
    """A table, channel, transaction or prepared statement is not there."""


class AlreadyExists(Error):
    """A table, channel or key is there already."""


class ConstraintViolation(Error):
    """A row does not satisfy a constraint."""


class TransactionError(Error):
    """The state of the transaction or the database forbids it."""


class ConflictError(Error):
    """A concurrent transaction won: run the transaction again."""


class ResourceExhausted(Error):
    """A limit was met."""


class DeadlineExceeded(Error):
    """The time was up."""


class Cancelled(Error):
    """Stopped by the caller or an administrator."""


class Unavailable(Error):
    """The server cannot be reached, is starting or stopping."""


class NotSupported(Error):
    """This version does not have it."""


class InternalError(Error):
    """A defect of the server, or damaged data."""


_BY_REASON = {
    "UNIQUE_VIOLATION": ConstraintViolation,
    "NOT_NULL_VIOLATION": ConstraintViolation,
    "CHECK_VIOLATION": ConstraintViolation,
    "FOREIGN_KEY_VIOLATION": ConstraintViolation,
}

_BY_CODE = {
    "INVALID_ARGUMENT": InvalidArgument,
    "OUT_OF_RANGE": InvalidArgument,
    "NOT_FOUND": NotFound,
    "ALREADY_EXISTS": AlreadyExists,
    "FAILED_PRECONDITION": TransactionError,
    "ABORTED": ConflictError,
    "RESOURCE_EXHAUSTED": ResourceExhausted,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "CANCELLED": Cancelled,
    "UNAVAILABLE": Unavailable,
    "UNIMPLEMENTED": NotSupported,
}


def _class_of(code: str, reason: str, sqlstate: str) -> type[Error]:
    if reason in _BY_REASON:
        return _BY_REASON[reason]
    # Class 42: syntax and access rules; 22: data the statement computed.
    if code == "INVALID_ARGUMENT" and sqlstate[:2] in ("42", "22", "21"):
        return SqlError
    return _BY_CODE.get(code, InternalError)


def from_rpc(error: grpc.RpcError) -> Error:
    """The typed error for what a call raised."""
    code = error.code().name if error.code() is not None else "UNKNOWN"
    fields: dict = {"code": code, "reason": "", "sqlstate": ""}
    for details in _details_of(error):
        if details.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            details.Unpack(info)
            fields["reason"] = info.reason
        elif details.Is(types_pb2.QueryErrorDetail.DESCRIPTOR):
            detail = types_pb2.QueryErrorDetail()
            details.Unpack(detail)
            fields.update(
                sqlstate=detail.sqlstate,
                line=detail.position.line,
                column=detail.position.column,
                token=detail.token,
                hint=detail.hint,
            )
    kind = _class_of(code, fields["reason"], fields["sqlstate"])
    return kind(error.details() or code, **fields)


def _details_of(error: grpc.RpcError):
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status: Optional[status_pb2.Status] = status_pb2.Status()
            try:
                status.ParseFromString(value)
            except Exception:  # a proxy's trailer, not ours
                return []
            return status.details
    return []
