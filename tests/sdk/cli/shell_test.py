#!/usr/bin/env python3
"""The shell as a person at a terminal meets it: prompts, lines, history, Ctrl-C. Against NQ_SERVER_ADDR; NQ_BIN
names the binary. Prints one "ok" or "not ok" line per behaviour."""

import os
import pty
import re
import select
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NQ = os.environ.get("NQ_BIN", str(ROOT / ".build/bazel/bin/sdk/cli/nq"))
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")
failures = 0


def verdict(name, good, output=""):
    global failures
    print(("ok " if good else "not ok ") + name, flush=True)
    if not good:
        failures += 1
        print("    " + output.replace("\n", "\n    "), flush=True)


class Terminal:
    """nq in a terminal of its own."""

    def __init__(self, home):
        self.output = ""
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            # libedit never frees the names of functions added to it, and a sanitizer would say so.
            os.environ.update(HOME=home, TERM="xterm", LC_ALL="C.UTF-8", ASAN_OPTIONS="detect_leaks=0")
            os.execv(NQ, [NQ])

    def read(self, seconds):
        """What came, without escapes; returns at once when nothing more is to come."""
        ready, _, _ = select.select([self.file], [], [], seconds)
        if not ready:
            return ""
        try:
            text = os.read(self.file, 65536).decode("utf-8", "replace")
        except OSError:
            return ""
        self.output += ESCAPES.sub("", text)
        return text

    def wait_for(self, pattern, seconds=10):
        """True once the output since the last send matches."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.output, re.M):
            if time.monotonic() > end:
                return False
            self.read(0.1)
        return True

    def send(self, text):
        self.output = ""
        os.write(self.file, text.encode())

    def end(self, key="", seconds=20):
        """The exit code, None when it does not end. The keys are sent again and again: the prompt shows a moment
        before the terminal takes keys one by one, and what comes in between becomes part of the line (hence
        Ctrl-U before Ctrl-D)."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid != 0:
                return os.waitstatus_to_exitcode(status)
            try:
                os.write(self.file, key.encode())
            except OSError:
                pass  # it has just ended
            self.read(0.2)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        return None


def converse(home):
    shell = Terminal(home)
    verdict("the shell greets and prompts", shell.wait_for(r"^nq> $"), shell.output)
    shell.send("SELECT 1 +\n")
    verdict("an unfinished statement has another prompt", shell.wait_for(r"^nq-> $"), shell.output)
    shell.send("41 AS answer;\n")
    verdict("a statement may take several lines", shell.wait_for(r"^ +42$"), shell.output)
    shell.wait_for(r"^nq> $")
    shell.send("SELECT 'abandoned")
    shell.wait_for("abandoned")
    time.sleep(0.1)  # the prompt shows a moment before the terminal takes keys one by one
    shell.send("\x03")
    verdict("Ctrl-C forgets the line", shell.wait_for(r"\^C\s+nq> $"), shell.output)
    os.kill(shell.pid, 2)
    shell.send("SELECT 'still ' || 'here' AS x;\n")
    # On a busy machine it is so late that it meets the statement.
    verdict("a late Ctrl-C does not end the shell", shell.wait_for(r"^ still here$|CANCELLED"), shell.output)
    shell.wait_for(r"^nq> $")
    shell.send("BEGIN;\n")
    verdict("an open transaction shows in the prompt", shell.wait_for(r"^nq\*> $"), shell.output)
    shell.send("SELEC;\n")
    verdict("and so does a failed one", shell.wait_for(r"^nq!> $"), shell.output)
    shell.send("ROLLBACK;\n")
    shell.wait_for(r"^nq> $")
    shell.send("\x1b[A\x1b[A\n")
    verdict("the up arrow brings back what was typed", shell.wait_for(r"SELEC;"), shell.output)
    shell.wait_for(r"^nq> $")
    tables = ", ".join(f"endless x{i}" for i in range(30))
    shell.send("CREATE TABLE endless (id INT PRIMARY KEY);\n")
    shell.wait_for(r"^nq> $")
    shell.send("INSERT INTO endless VALUES (1),(2),(3);\n")
    shell.wait_for(r"^nq> $")
    shell.send(f"SELECT count(*) FROM {tables};\n")
    time.sleep(0.5)
    shell.send("\x03")
    stopped = shell.wait_for(r"CANCELLED[^$]*nq> $")
    verdict("Ctrl-C stops the statement that runs", stopped, shell.output)
    shell.send("DROP TABLE endless;\n")
    verdict("and the shell goes on", shell.wait_for(r"^DROP TABLE[^$]*nq> $"), shell.output)
    shell.send("\\?\n")
    verdict("\\? lists the commands", shell.wait_for(r"\\watch"), shell.output)
    shell.wait_for(r"^nq> $")
    shell.send("SELECT 7 AS seven;\n")
    shell.wait_for(r"^nq> $")
    shell.send("\\watch 0.1\n")
    verdict("\\watch repeats", shell.wait_for(r"(?s)every 0.1s.*every 0.1s.*every 0.1s"), shell.output)
    shell.send("\x03")
    verdict("until Ctrl-C", shell.wait_for(r"nq> $"), shell.output)
    shell.send("\\q\n")
    verdict("\\q leaves with 0", shell.end() == 0, shell.output)


def main():
    with tempfile.TemporaryDirectory() as home:
        converse(home)
        history = Path(home) / ".nq_history"
        text = history.read_text() if history.exists() else ""
        verdict("history is kept for the next time", "seven" in text.replace("\\040", " "), text)
        verdict("and only for its owner", history.stat().st_mode & 0o77 == 0, "")
        shell = Terminal(home)
        shell.wait_for(r"^nq> $")
        verdict("Ctrl-D leaves with 0", shell.end("\x15\x04") == 0, shell.output)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
