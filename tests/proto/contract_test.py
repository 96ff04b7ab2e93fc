#!/usr/bin/env python3
"""The protos as a contract: what shipped never changes its meaning, and every runtime can carry it.

    contract_test.py PROTO...            compares with contract.txt and checks the rules below
    contract_test.py --update PROTO...   adds what is new to contract.txt; refuses to change or remove a line

Rules: no `optional`, groups or extensions; no message that contains itself; no field named `base`; a request and a
response of its own for every method; a comment on every service, method, message, enum, value and field; numbers
of enums begin with …_UNSPECIFIED = 0. Reads what protoc prints, with nothing but protoc and Python.
"""

import re
import subprocess
import sys
from pathlib import Path

CONTRACT = Path(__file__).resolve().parent / "contract.txt"
INCLUDES = ["-I", "proto", "-I", "/usr/include"]


def parse(text):
    """protoc's text format as nested lists of (name, value); value is a string or a list."""
    tokens = re.findall(r'"(?:\\.|[^"\\])*"|[{}]|[^\s{}:]+|:', text)
    stack = [[]]
    name = None
    for token in tokens:
        if token == "{":
            stack.append([])
            stack[-2].append((name, stack[-1]))
        elif token == "}":
            stack.pop()
            name = None
        elif token == ":":
            continue
        elif name is None or not stack:
            name = token
            continue
        else:
            stack[-1].append((name, token.strip('"')))
            name = None
        if token == "{":
            name = None
    return stack[0]


def all_of(node, name):
    return [value for key, value in node if key == name]


def one(node, name, default=""):
    return next((value for key, value in node if key == name), default)


def descriptors(files):
    binary = subprocess.run(
        ["protoc", *INCLUDES, "--include_source_info", "--descriptor_set_out=/dev/stdout", *files],
        check=True, capture_output=True).stdout
    text = subprocess.run(
        ["protoc", "-I", "/usr/include", "--decode=google.protobuf.FileDescriptorSet",
         "google/protobuf/descriptor.proto"],
        check=True, input=binary, capture_output=True).stdout.decode()
    return all_of(parse(text), "file")


class Checker:
    def __init__(self):
        self.lines = []
        self.findings = []
        self.members = {}  # message -> messages it contains
        self.requests = {}  # type -> methods that use it

    def find(self, where, words):
        self.findings.append(f"{where}: {words}")

    def file(self, file):
        package = one(file, "package")
        self.documented = {
            tuple(int(step) for step in all_of(location, "path"))
            for location in all_of(one(file, "source_code_info", []), "location")
            if one(location, "leading_comments")
        }
        if one(file, "syntax") != "proto3":
            self.find(one(file, "name"), "is not proto3")
        for i, message in enumerate(all_of(file, "message_type")):
            self.message(f"{package}.{one(message, 'name')}", message, (4, i))
        for i, enum in enumerate(all_of(file, "enum_type")):
            self.enum(f"{package}.{one(enum, 'name')}", enum, (5, i))
        for i, service in enumerate(all_of(file, "service")):
            self.service(f"{package}.{one(service, 'name')}", service, (6, i))
        if all_of(file, "extension"):
            self.find(one(file, "name"), "has extensions")

    def comment(self, where, path):
        if path not in self.documented:
            self.find(where, "has no comment")

    def message(self, name, message, path, is_map=False):
        if not is_map:
            self.comment(name, path)
            self.lines.append(f"message {name}")
        oneofs = [one(oneof, "name") for oneof in all_of(message, "oneof_decl")]
        nested = all_of(message, "nested_type")
        for i, inner in enumerate(nested):
            is_entry = one(one(inner, "options", []), "map_entry") == "true"
            self.message(f"{name}.{one(inner, 'name')}", inner, path + (3, i), is_entry)
        self.members[name] = set()
        for i, field in enumerate(all_of(message, "field")):
            self.field(name, field, path + (2, i), oneofs, is_map)

    def field(self, message, field, path, oneofs, is_map):
        name = f"{message}.{one(field, 'name')}"
        kind = one(field, "type").removeprefix("TYPE_").lower()
        target = one(field, "type_name").lstrip(".")
        if not is_map:
            self.comment(name, path)
        if one(field, "proto3_optional") == "true":
            self.find(name, "is `optional`, which protobuf-c cannot carry: use a message or a oneof")
        if one(field, "name") == "base":
            self.find(name, "is named `base`, which protobuf-c needs for itself")
        if kind == "group":
            self.find(name, "is a group")
        if kind == "message":
            self.members[message].add(target)
        label = "repeated " if one(field, "label") == "LABEL_REPEATED" else ""
        oneof = all_of(field, "oneof_index")
        member = f" oneof {oneofs[int(oneof[0])]}" if oneof else ""
        self.lines.append(f"field {name} = {one(field, 'number')} {label}{target or kind}{member}")

    def enum(self, name, enum, path):
        self.comment(name, path)
        self.lines.append(f"enum {name}")
        for i, value in enumerate(all_of(enum, "value")):
            self.comment(f"{name}.{one(value, 'name')}", path + (2, i))
            self.lines.append(f"value {name}.{one(value, 'name')} = {one(value, 'number', '0')}")
        if not one(all_of(enum, "value")[0], "name").endswith("_UNSPECIFIED"):
            self.find(name, "does not begin with …_UNSPECIFIED")

    def service(self, name, service, path):
        self.comment(name, path)
        for i, method in enumerate(all_of(service, "method")):
            where = f"{name}.{one(method, 'name')}"
            self.comment(where, path + (2, i))
            request, response = (one(method, side).lstrip(".") for side in ("input_type", "output_type"))
            for side in (request, response):
                self.requests.setdefault(side, []).append(where)
            takes = "stream " if one(method, "client_streaming") == "true" else ""
            gives = "stream " if one(method, "server_streaming") == "true" else ""
            self.lines.append(f"rpc {where} {takes}{request} -> {gives}{response}")

    def finish(self):
        for side, methods in self.requests.items():
            if len(methods) > 1:
                self.find(side, f"is used by {', '.join(methods)}: each method needs its own")
        for name in self.members:
            if self.reaches(name, name):
                self.find(name, "contains itself: a small message could exhaust the stack")

    def reaches(self, start, goal):
        seen, front = set(), list(self.members.get(start, ()))
        while front:
            name = front.pop()
            if name == goal:
                return True
            if name not in seen:
                seen.add(name)
                front.extend(self.members.get(name, ()))
        return False


def compare(lines, update):
    old = CONTRACT.read_text().splitlines() if CONTRACT.exists() else []
    gone = [line for line in old if line not in set(lines)]
    new = [line for line in lines if line not in set(old)]
    for line in gone:
        print(f"not ok shipped, and now changed or gone: {line}")
    if update and not gone:
        CONTRACT.write_text("\n".join(sorted(lines)) + "\n")
        print(f"{len(new)} lines added to {CONTRACT.name}")
        return True
    for line in new:
        print(f"not ok new, and not in contract.txt (tests/proto/contract_test.py --update): {line}")
    return not gone and not new


def main():
    arguments = sys.argv[1:]
    update = "--update" in arguments
    files = [a.removeprefix("proto/") for a in arguments if a.startswith("proto/neuroquantum/")]
    if not files:
        sys.exit("contract_test.py: name the files, as proto/neuroquantum/v1/*.proto")
    checker = Checker()
    for file in descriptors(files):
        checker.file(file)
    checker.finish()
    for finding in checker.findings:
        print(f"not ok {finding}")
    good = compare(checker.lines, update) and not checker.findings
    if good:
        print(f"ok {len(checker.lines)} lines of contract")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
