#!/usr/bin/env python3
"""House style as a test: each finding names the rule and the cure. No allow-lists.

Reads the files git knows. Rules: sizes, forbidden words and calls, room READMEs, the order of rooms,
and that a room is listed in exactly one layers.bzl.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES_MAX = 900
FUNCTION_LINES_MAX = 70
LINE_CHARS_MAX = 110
README_LINES_MAX = 120
README_HEADINGS = ["Purpose", "Files", "How it is tested"]

# (pattern, where it applies, what to do instead); `where` is a predicate on the path.
in_product = lambda p: p.startswith(("engine/", "server/")) and p.endswith((".c", ".h"))
in_engine = lambda p: p.startswith("engine/") and p.endswith((".c", ".h"))
BANNED = [
    (r"\b(malloc|calloc|realloc|free|strdup)\s*\(", lambda p: in_product(p) and p != "engine/ground/base/heap.c",
     "allocate through engine/ground/base/heap.h or an arena"),
    (r"\b(strcpy|strcat|sprintf|gets|strtok|atoi|atol|atof)\s*\(", in_product,
     "use a bounded function that reports errors"),
    (r"\b(rand|srand|random|drand48)\s*\(", in_product, "use engine/ground/base/rng.h or os/entropy.h"),
    (r"\b(fopen|pthread_create|clock_gettime|gettimeofday|getrandom|usleep|nanosleep)\s*\(",
     lambda p: in_engine(p) and not p.startswith("engine/ground/os/"), "only engine/ground/os calls the kernel"),
    (r"\b(setjmp|longjmp)\s*\(", in_product, "return a status"),
    (r"#include\s*[<\"]grpc", lambda p: p.startswith(("engine/", "server/")) and not p.startswith("server/rpc/"),
     "only server/rpc sees gRPC core"),
    (r"#include\s*[<\"](protobuf-c|.*\.pb-c\.h)", lambda p: p.startswith("engine/") or (
        p.startswith("server/") and not p.startswith("server/wire/")), "only server/wire sees protobuf-c"),
    (r"\b(TODO|FIXME|XXX|HACK)\b", lambda p: not p.startswith("tests/tidy/"), "finish it, or write an ADR"),
    (r"(pypi\.org|proxy\.golang\.org|registry\.npmjs|repo1?\.maven|deb\.debian\.org|crates\.io)",
     lambda p: not p.startswith("tests/tidy/"), "name no registry host"),
]


def tracked():
    out = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [p for p in out.splitlines() if (ROOT / p).is_file()]


def text_of(path):
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def strip_strings_and_comments(code):
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    blank = lambda m: re.sub(r"[^\n]", " ", m.group(0))
    return pattern.sub(lambda m: m.group(0) if m.group(0).startswith('"') and "#include" in code[max(0, m.start() - 12):m.start()] else blank(m), code)


def rooms():
    listed = []
    for wing in ("engine", "server"):
        source = (ROOT / wing / "layers.bzl").read_text(encoding="utf-8")
        listed += [f"{wing}/{name}" for name in re.findall(r'^    \("([a-z/]+)",', source, re.M)]
    return listed


def check_sizes(path, text, report):
    lines = text.splitlines()
    if path.endswith((".c", ".h")):
        if len(lines) > FILE_LINES_MAX:
            report(path, 1, f"{len(lines)} lines, over {FILE_LINES_MAX}: split by concept")
        for number, line in enumerate(lines, 1):
            # clang-format does not break literals, so a long text is not a long line.
            if len(line) > LINE_CHARS_MAX and '"' not in line:
                report(path, number, f"{len(line)} characters: wrap at 100")
        if not text.startswith("/*"):
            report(path, 1, "a C file opens with a comment: what it is, the idea, what it does not promise")
    if path.endswith(".c") and not path.startswith("tests/"):
        start = None
        for number, line in enumerate(lines, 1):
            if line == "{" or (re.match(r"^[A-Za-z_].*\)\s*\{$", line) or re.match(r"^[ \t]+.*\)\s*\{$", line) and start is None and number > 1 and re.match(r"^[A-Za-z_].*\($|^[A-Za-z_].*,$", lines[number - 2])):
                start = number
            elif line == "}" and start is not None:
                if number - start - 1 > FUNCTION_LINES_MAX:
                    report(path, start, f"a function of {number - start - 1} lines, over {FUNCTION_LINES_MAX}: split it")
                start = None


def check_banned(path, text, report):
    code = strip_strings_and_comments(text) if path.endswith((".c", ".h")) else text
    for pattern, applies, cure in BANNED:
        if not applies(path):
            continue
        source = text if "TODO" in pattern or "/" in pattern[:3] or "\\." in pattern else code
        if pattern.startswith("#include"):
            source = text
        for match in re.finditer(pattern, source):
            report(path, source.count("\n", 0, match.start()) + 1, f"'{match.group(0).strip()}': {cure}")


def check_rooms(paths, report):
    listed = rooms()
    present = {str(Path(p).parent) for p in paths if p.startswith(("engine/", "server/")) and p.endswith((".c", ".h"))}
    for room in sorted(present - set(listed)):
        if room not in ("engine", "server"):
            report(room, 1, "a room without a line in layers.bzl")
    for room in listed:
        readme = ROOT / room / "README.md"
        if not readme.exists():
            report(room, 1, "a room without a README.md")
            continue
        text = readme.read_text(encoding="utf-8")
        if len(text.splitlines()) > README_LINES_MAX:
            report(f"{room}/README.md", 1, f"over {README_LINES_MAX} lines")
        for heading in README_HEADINGS:
            if not re.search(rf"^#+ .*{heading}", text, re.M | re.I):
                report(f"{room}/README.md", 1, f"no heading '{heading}'")
    order = {room: index for index, room in enumerate(listed)}
    for path in paths:
        room = str(Path(path).parent)
        if room not in order or not path.endswith((".c", ".h")):
            continue
        text = text_of(path) or ""
        for match in re.finditer(r'^#include "((?:engine|server)/[^"]+)"', text, re.M):
            target = str(Path(match.group(1)).parent)
            if target != room and order.get(target, 10**6) > order[room]:
                report(path, text.count("\n", 0, match.start()) + 1, f"includes {target}, a higher room")


def main():
    findings = []
    report = lambda path, line, words: findings.append(f"{path}:{line}: {words}")
    paths = tracked()
    for path in paths:
        text = text_of(path)
        if text is None:
            continue
        check_sizes(path, text, report)
        check_banned(path, text, report)
    check_rooms(paths, report)
    print("\n".join(sorted(findings)))
    print(f"tidy: {len(paths)} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
