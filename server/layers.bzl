"""Rooms of the server, lowest first: a room may include rooms listed before it, and the engine's open rooms."""

SERVER_ROOMS = [
    ("config", False, "Every setting: one table; flag over environment over file over default."),
    ("observe", False, "Access and slow-query logs, the readiness that health reports."),
    ("rpc", False, "The only room that sees gRPC core: queues, calls, streams, acceptor, interceptors."),
    ("wire", False, "The only room that sees generated protobuf code: messages to values and back."),
    ("service", False, "One file per proto service: decode, call the engine, encode."),
    ("app", False, "main: wire the rooms together, start, drain, stop."),
]
