#!/usr/bin/env python3
"""Turns `bazel aquery --output=jsonproto` of C compilations (stdin) into compile_commands.json (stdout).

compile_commands.py DIRECTORY: where the commands run, Bazel's execution root. Flags that only gcc knows, and
those about outputs, are left out.
"""

import json
import sys

GCC_ONLY = {"-fno-canonical-system-headers", "-Wno-free-nonheap-object", "-Wunused-but-set-parameter", "-Werror"}
WITH_VALUE = {"-MF", "-o"}
OUTPUT_ONLY = {"-MD", "-c"}


def flags_of(arguments):
    kept = []
    skips = False
    for argument in arguments:
        if skips:
            skips = False
        elif argument in WITH_VALUE:
            skips = True
        elif argument not in GCC_ONLY and argument not in OUTPUT_ONLY and not argument.startswith("-frandom-seed="):
            kept.append(argument)
    return kept


def source_of(arguments):
    return arguments[arguments.index("-c") + 1]


def main():
    commands = {}
    for action in json.load(sys.stdin).get("actions", []):
        arguments = action["arguments"]
        source = source_of(arguments)
        # Once each, though Bazel compiles some twice (with -fPIC); what was generated is nobody's to mend.
        if source.endswith(".c") and not source.startswith("bazel-out/") and source not in commands:
            commands[source] = {"directory": sys.argv[1], "file": source, "arguments": flags_of(arguments)}
    json.dump(sorted(commands.values(), key=lambda command: command["file"]), sys.stdout, indent=1)


if __name__ == "__main__":
    main()
