"""Unary calls per second: ours against its peers, in turn, in one run on one machine.

Absolute numbers say more about the machine than about us, so each round loads every server once, in
a rotating order, and what counts is the median of the rounds' ratios. h2load is the client because no
gRPC client is light enough not to be the limit. Server CPU is read from /proc around each load.

    run.py [--rounds 5] [--seconds 2] [--only echo,sql,hold] [--hold 10000]
"""

import argparse
import os
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import hold_bench

BIN = Path(os.environ["NQ_BENCH_BIN"])  # bazel-bin, set by run.sh
EXECUTE = "/neuroquantum.v1.QueryService/Execute"
ROWS = 10000
CALLS = 64
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A child whose first line of output ends in its port."""

    def __init__(self, name, command):
        self.name = name
        self.child = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        self.port = int(re.search(r"(\d+)$", self.child.stdout.readline())[1])

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self):
        """The echo servers end with their input, the real one drains on the signal."""
        self.child.stdin.close()
        self.child.terminate()
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def grpc_body(message):
    file = tempfile.NamedTemporaryFile(suffix=".grpc", delete=False)
    file.write(b"\0" + struct.pack(">I", len(message)) + message)
    file.close()
    return file.name


def load(server, path, body, seconds):
    """Calls per second and server CPU microseconds per call; dies when any call failed."""
    before = server.cpu_seconds()
    out = subprocess.run(
        ["h2load", "-c1", f"-m{CALLS}", "-t1", f"-D{seconds}", "--warm-up-time=0", "-d", body,
         "-H", "content-type: application/grpc", "-H", "te: trailers",
         f"http://127.0.0.1:{server.port}{path}"],
        capture_output=True, text=True).stdout
    cpu = server.cpu_seconds() - before
    rate = re.search(r"finished in .*?, ([\d.]+) req/s", out)
    counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", out)
    if not rate or int(counts[2]) or int(counts[3]) or not int(counts[1]):
        sys.exit(f"bench-rpc: {server.name}{path} failed:\n{out}")
    return float(rate[1]), cpu * 1e6 / int(counts[1])


def rounds(contenders, count, seconds):
    """{name: [(rate, cpu), …]}, one entry per round; the order rotates."""
    results = {name: [] for name, *_ in contenders}
    for name, server, path, body in contenders:
        load(server, path, body, 1)
    for turn in range(count):
        for name, server, path, body in contenders[turn % len(contenders):] + contenders[:turn % len(contenders)]:
            results[name].append(load(server, path, body, seconds))
            time.sleep(0.1)
    return results


def median(results, name, index):
    return statistics.median(result[index] for result in results[name])


def verdict(name, results, ours, peer, gate):
    """One BENCH line; gate None: for information."""
    ratio = statistics.median(a[0] / b[0] for a, b in zip(results[ours], results[peer]))
    word = "info" if gate is None else "ok" if ratio >= gate else "short"
    print(f"BENCH {name} ours={median(results, ours, 0):.0f}/s peer={median(results, peer, 0):.0f}/s "
          f"ratio={ratio:.2f} gate={'-' if gate is None else f'{gate:.2f}'} {word}", flush=True)
    return word != "short"


def bench_echo(args):
    echo = grpc_body(field(1, b"0123456789abcdef"))
    path = "/bench.EchoService/Echo"
    servers = [Server("ours", [BIN / "bench/rpc/echo_server", 1]), Server("cpp", [BIN / "bench/rpc/cpp_echo_server", 1]),
               Server("nghttp2", [BIN / "bench/rpc/ng_echo_server"])]
    ours, cpp, nghttp2 = servers
    try:
        results = rounds([("ours", ours, path, echo), ("cpp", cpp, path, echo),
                          ("guarded", ours, "/bench.Guarded/Echo", echo),
                          ("worker", ours, "/bench.Worker/Echo", echo),
                          ("nghttp2", nghttp2, path, echo)], args.rounds, args.seconds)
    finally:
        for server in servers:
            server.stop()
    for name in results:
        print(f"# {name:8} {median(results, name, 0):9.0f}/s  server CPU {median(results, name, 1):6.2f} us/call")
    ok = verdict("rpc_unary_echo", results, "ours", "cpp", 1.05)
    verdict("rpc_unary_echo_guarded", results, "guarded", "cpp", None)
    ok &= verdict("rpc_unary_echo_worker", results, "worker", "ours", None)
    verdict("rpc_unary_echo_nghttp2", results, "ours", "nghttp2", None)
    return ok


def execute(server, sql):
    """Runs one statement and dies when its grpc-status is not 0; returns the request's body."""
    body = grpc_body(field(1, field(1, sql.encode())))
    out = subprocess.run(["nghttp", "-v", "-d", body, "-H", "content-type: application/grpc", "-H", "te: trailers",
                          f"http://127.0.0.1:{server.port}{EXECUTE}"],
                         capture_output=True, text=True, errors="replace").stdout
    if not re.search(r"grpc-status: 0\b", out):
        sys.exit(f"bench-rpc: {sql[:60]} failed:\n{out[-2000:]}")
    return body


def bench_sql(args):
    """The whole way through the real server, against our bare echo."""
    echo = grpc_body(field(1, b"0123456789abcdef"))
    with tempfile.TemporaryDirectory() as directory:
        ours = Server("echo", [BIN / "bench/rpc/echo_server", 1])
        real = Server("neuroquantumd", [BIN / "server/neuroquantumd", "--data-dir", f"{directory}/data",
                                        "--listen", "127.0.0.1:0", "--threads-rpc", "1"])
        try:
            execute(real, "CREATE TABLE kv (id BIGINT PRIMARY KEY, name TEXT NOT NULL)")
            for first in range(0, ROWS, 1000):
                execute(real, "INSERT INTO kv VALUES " +
                        ",".join(f"({id}, 'name {id}')" for id in range(first, first + 1000)))
            results = rounds([("echo", ours, "/bench.EchoService/Echo", echo),
                              ("select1", real, EXECUTE, execute(real, "SELECT 1")),
                              ("lookup", real, EXECUTE, execute(real, "SELECT name FROM kv WHERE id = 4711"))],
                             args.rounds, args.seconds)
        finally:
            ours.stop()
            real.stop()
    for name in results:
        print(f"# {name:8} {median(results, name, 0):9.0f}/s  server CPU {median(results, name, 1):6.2f} us/call")
    ok = verdict("rpc_select_1", results, "select1", "echo", 0.80)
    ok &= verdict("rpc_key_lookup", results, "lookup", "echo", 0.60)
    return ok


def bench_hold(args):
    ok = True
    for name, make, gate in (("rpc_idle_connection", hold_bench.connections, 18.0),
                             ("rpc_held_stream", hold_bench.streams, 14.0)):
        server = Server("hold", [BIN / "bench/rpc/echo_server", 1])
        try:
            kib = make(server, args.hold)
        finally:
            server.stop()
        word = "ok" if kib <= gate else "short"
        print(f"BENCH {name} ours={kib:.1f}KiB peer={gate:.1f}KiB ratio={kib / gate:.2f} gate=1.00 {word}",
              flush=True)
        ok &= word == "ok"
    return ok


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--hold", type=int, default=10000, help="connections and streams held")
    parser.add_argument("--only", default="echo,sql,hold")
    args = parser.parse_args()
    wanted = args.only.split(",")
    ok = True
    if "echo" in wanted:
        ok &= bench_echo(args)
    if "sql" in wanted:
        ok &= bench_sql(args)
    if "hold" in wanted:
        ok &= bench_hold(args)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
