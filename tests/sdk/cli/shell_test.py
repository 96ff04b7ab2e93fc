#!/usr/bin/env python3
"""The shell as a person at a terminal meets it: prompts, lines, history, Tab, Ctrl-C. Against NQ_SERVER_ADDR; NQ_BIN
names the binary. Prints one "ok" or "not ok" line per behaviour."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import termios
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

    PATIENCE = 60  # seconds; a machine under load is slow, not wrong

    def __init__(self, home):
        self.output = ""
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            # libedit never frees the names of functions added to it, and a sanitizer would say so.
            os.environ.update(HOME=home, TERM="xterm", LC_ALL="C.UTF-8", ASAN_OPTIONS="detect_leaks=0")
            os.execv(NQ, [NQ])

    def read(self, seconds):
        """Takes what came, without escapes; returns at once when nothing more is to come."""
        ready, _, _ = select.select([self.file], [], [], seconds)
        if ready:
            try:
                self.output += ESCAPES.sub("", os.read(self.file, 65536).decode("utf-8", "replace"))
            except OSError:
                pass  # it has ended

    def until(self, is_true):
        end = time.monotonic() + self.PATIENCE
        while not is_true():
            if time.monotonic() > end:
                return False
            self.read(0.02)
        return True

    def wait_for(self, pattern):
        """True once the output since the last send matches."""
        return self.until(lambda: re.search(pattern, self.output, re.M))

    def takes_keys(self):
        """Whether keys go to the line editor one by one. Until then they would be the terminal's: edited by it,
        and Ctrl-C a signal."""
        return not termios.tcgetattr(self.file)[3] & termios.ICANON

    def prompts(self, prompt=r"^nq> $"):
        """True once the prompt is there and a line may be typed: the prompt shows a moment before the editor takes
        the terminal, and a statement runs with the terminal given back."""
        return self.wait_for(prompt) and self.until(self.takes_keys)

    def runs_statement(self):
        """True once the terminal is given back and the server has the statement."""
        return self.until(lambda: not self.takes_keys()) and self.until(server_is_busy)

    def has_taken_signals(self):
        """Whether none is pending and every thread sleeps: the one that takes them is then done with the last."""
        process = Path(f"/proc/{self.pid}")
        pending = re.search(r"^ShdPnd:\t(\w+)$", (process / "status").read_text(), re.M).group(1)
        states = [(task / "stat").read_text().rsplit(")", 1)[1].split()[0] for task in process.glob("task/*")]
        return int(pending, 16) == 0 and set(states) == {"S"}

    def send(self, text):
        self.output = ""
        os.write(self.file, text.encode())

    def end(self):
        """The exit code, None when it does not end."""
        status = []

        def has_ended():
            pid, code = os.waitpid(self.pid, os.WNOHANG)
            status.append(code)
            return pid != 0

        if self.until(has_ended):
            return os.waitstatus_to_exitcode(status[-1])
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        return None


def server_is_busy():
    """Whether a statement of the endless kind runs."""
    listed = subprocess.run([NQ, "queries"], capture_output=True, text=True, check=False)
    return "endless x0" in listed.stdout


def complete(shell):
    """Tab, as it is typed."""
    shell.send("SEL\t")
    verdict("Tab completes a keyword", shell.wait_for("SELECT $"), shell.output)
    shell.send("1 + 1 AS two;\n")
    verdict("and the line goes on behind it", shell.wait_for(r"^ +2$") and shell.prompts(), shell.output)
    shell.send("CREATE TABLE measurements (taken_at INT, taken_by INT, \"Größe\" INT);\n")
    shell.prompts()
    shell.send("SELECT count(*) FROM meas\t")
    verdict("Tab completes a table", shell.wait_for("FROM measurements $"), shell.output)
    shell.send("WHERE taken\t")
    shell.wait_for("taken_$")
    shell.send("\t")
    verdict("Tab shows what it may be", shell.wait_for(r"taken_at +taken_by"), shell.output)
    shell.wait_for("WHERE taken_$")
    shell.send("b\tIS NULL OR grö\t= 1;\n")
    verdict("Tab completes columns, quoted where they must be",
            shell.wait_for('by IS NULL OR .*"Größe" = 1;') and shell.wait_for(r"^ +0$") and shell.prompts(),
            shell.output)
    shell.send("SELECT 1\n")
    shell.prompts(r"^nq-> $")
    shell.send("FROM mea\t;\n")
    verdict("Tab knows the lines before", shell.wait_for("FROM measurements") and shell.prompts(), shell.output)
    shell.send("DROP TABLE measurements;\n")
    shell.prompts()
    shell.send("SELECT 1 FROM meas\t")
    verdict("a table that is gone is forgotten", shell.wait_for("\x07"), shell.output)
    shell.send("\x15\\tim\ton\n")
    verdict("Tab completes a command", shell.wait_for("Timing is on") and shell.prompts(), shell.output)


def converse(home):
    shell = Terminal(home)
    verdict("the shell greets and prompts", shell.prompts(), shell.output)
    shell.send("SELECT 1 +\n")
    verdict("an unfinished statement has another prompt", shell.prompts(r"^nq-> $"), shell.output)
    shell.send("41 AS answer;\n")
    verdict("a statement may take several lines", shell.wait_for(r"^ +42$") and shell.prompts(), shell.output)
    shell.send("SELECT 'abandoned")
    shell.wait_for("abandoned")
    shell.send("\x03")
    verdict("Ctrl-C forgets the line", shell.prompts(r"\^C\s+nq> $"), shell.output)
    os.kill(shell.pid, signal.SIGINT)
    shell.until(shell.has_taken_signals)
    shell.send("SELECT 'still ' || 'here' AS x;\n")
    verdict("a late Ctrl-C neither ends the shell nor stops what comes next",
            shell.wait_for(r"^ still here$") and shell.prompts(), shell.output)
    shell.send("BEGIN;\n")
    verdict("an open transaction shows in the prompt", shell.prompts(r"^nq\*> $"), shell.output)
    shell.send("SELEC;\n")
    verdict("and so does a failed one", shell.prompts(r"^nq!> $"), shell.output)
    shell.send("ROLLBACK;\n")
    shell.prompts()
    shell.send("\x1b[A\x1b[A\n")
    verdict("the up arrow brings back what was typed", shell.wait_for(r"SELEC;") and shell.prompts(), shell.output)
    tables = ", ".join(f"endless x{i}" for i in range(30))
    shell.send("CREATE TABLE endless (id INT PRIMARY KEY);\n")
    shell.prompts()
    shell.send("INSERT INTO endless VALUES (1),(2),(3);\n")
    shell.prompts()
    shell.send(f"SELECT count(*) FROM {tables};\n")
    shell.runs_statement()
    shell.send("\x03")
    verdict("Ctrl-C stops the statement that runs", shell.prompts(r"CANCELLED[^$]*nq> $"), shell.output)
    shell.send("DROP TABLE endless;\n")
    verdict("and the shell goes on", shell.prompts(r"^DROP TABLE[^$]*nq> $"), shell.output)
    shell.send("\\?\n")
    verdict("\\? lists the commands", shell.wait_for(r"\\watch") and shell.prompts(), shell.output)
    complete(shell)
    shell.send("SELECT 7 AS seven;\n")
    shell.prompts()
    shell.send("\\watch 0.1\n")
    verdict("\\watch repeats", shell.wait_for(r"(?s)every 0.1s.*every 0.1s.*every 0.1s"), shell.output)
    shell.send("\x03")
    verdict("until Ctrl-C", shell.prompts(r"nq> $"), shell.output)
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
        shell.prompts()
        shell.send("\x04")
        verdict("Ctrl-D leaves with 0", shell.end() == 0, shell.output)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
