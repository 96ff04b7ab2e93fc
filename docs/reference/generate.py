#!/usr/bin/env python3
"""Writes docs/reference/errors.md from the table of status codes; --check only compares.

The other reference pages come from their tables the same way: functions.md (query/eval/function.def) and
config.md (server/config/config.def) by the tests beside them.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "engine/ground/base/status_codes.def"
PAGE = ROOT / "docs/reference/errors.md"
ROW = re.compile(r'NQ_STATUS\((\w+),\s*(\w+),\s*"(\w+)",\s*(true|false),\s*"([^"]*)"\)', re.S)

HEAD = """# Errors

Generated from `engine/ground/base/status_codes.def` by `make docs`. The reason is `google.rpc.ErrorInfo.reason` with
domain `neuroquantum`, in `grpc-status-details-bin`; `QueryErrorDetail` beside it carries the SQLSTATE, the position in
the statement and a hint. *Again* says whether the same request may succeed unchanged.

| reason | gRPC code | SQLSTATE | again | meaning |
|---|---|---|---|---|
"""


def page():
    rows = ROW.findall(TABLE.read_text(encoding="utf-8"))
    assert len(rows) > 50, "the table's form has changed"
    lines = [f"| {name} | {code} | {state} | {'yes' if again == 'true' else ''} | {meaning} |"
             for name, code, state, again, meaning in rows if name != "OK"]
    return HEAD + "\n".join(lines) + "\n"


def main():
    wanted = page()
    if "--check" not in sys.argv:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != wanted:
        print("docs/reference/errors.md is stale: run 'make docs'")
        return 1
    print("docs/reference/errors.md is fresh")
    return 0


if __name__ == "__main__":
    sys.exit(main())
