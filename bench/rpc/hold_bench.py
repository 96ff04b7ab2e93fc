"""Memory of what only stands: idle connections, and streams that wait for an event.

Speaks just enough HTTP/2 to be a well-behaved client (RFC 9113), so that ten thousand of them fit into
one small process beside the server, whose resident memory is read before and after.
"""

import resource
import selectors
import socket
import struct
import sys
import time
from pathlib import Path

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
ACK = END_STREAM = 1
END_HEADERS = 4
STREAMS_PER_CONNECTION = 1000


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header that enters no table (RFC 7541, 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


CALL = b"".join(literal(name, value) for name, value in (
    (b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/bench.Holder/Hold"), (b":authority", b"localhost"),
    (b"content-type", b"application/grpc"), (b"te", b"trailers"), (b"user-agent", b"hold/1")))
MESSAGE = b"\0\0\0\0\x05hello"


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.input = b""
        self.has_settings = False
        self.standing = 0
        self.send(PREFACE + frame(SETTINGS, 0, 0))

    def send(self, data):
        while data:
            try:
                data = data[self.socket.send(data):]
            except BlockingIOError:
                time.sleep(0.001)

    def open_streams(self, count):
        for number in range(count):
            stream = 2 * number + 1
            self.send(frame(HEADERS, END_HEADERS, stream, CALL) + frame(DATA, END_STREAM, stream, MESSAGE))

    def receive(self):
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return
        if not data:
            sys.exit("hold_bench: the server closed a connection")
        self.input += data
        while len(self.input) >= 9:
            length = int.from_bytes(self.input[:3], "big")
            kind, flags = self.input[3], self.input[4]
            if len(self.input) < 9 + length:
                break
            payload, self.input = self.input[9:9 + length], self.input[9 + length:]
            if kind == SETTINGS and not flags & ACK:
                self.has_settings = True
                self.send(frame(SETTINGS, ACK, 0))
            elif kind == PING and not flags & ACK:
                self.send(frame(PING, ACK, 0, payload))
            elif kind == HEADERS:
                if flags & END_STREAM:
                    sys.exit("hold_bench: the server ended a stream")
                self.standing += 1


def resident_kib(server):
    for line in Path(f"/proc/{server.child.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ValueError("no VmRSS")


def raise_limit():
    wanted = 65536
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
        except (ValueError, PermissionError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def hold(server, connection_count, streams_each):
    """Opens them all, answers what the server asks, and returns what they cost it, in KiB."""
    raise_limit()
    warm = Connection(server.port)
    selector = selectors.DefaultSelector()
    connections = [warm]
    selector.register(warm.socket, selectors.EVENT_READ, warm)

    def serve(until):
        deadline = time.monotonic() + 120
        while not until():
            for key, _ in selector.select(0.05):
                key.data.receive()
            if time.monotonic() > deadline:
                sys.exit("hold_bench: the server does not keep up")

    serve(lambda: warm.has_settings)
    before = resident_kib(server)
    for _ in range(connection_count):
        connection = Connection(server.port)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connections.append(connection)
        if len(connections) % 100 == 0:
            serve(lambda: all(one.has_settings for one in connections[-100:]))
    serve(lambda: all(one.has_settings for one in connections))
    if streams_each:
        before = resident_kib(server)
        for connection in connections[1:]:
            connection.open_streams(streams_each)
        serve(lambda: all(one.standing == streams_each for one in connections[1:]))
    after = resident_kib(server)
    for connection in connections:
        connection.socket.close()
    return after - before


def connections(server, count):
    return hold(server, count, 0) / count


def streams(server, count):
    each = min(count, STREAMS_PER_CONNECTION)
    return hold(server, count // each, each) / (count // each * each)
