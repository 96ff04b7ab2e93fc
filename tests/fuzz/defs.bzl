"""nq_fuzz: one parser of foreign bytes, fuzzed by libFuzzer and replayed over its kept corpus by an ordinary test."""

load("//:defs.bzl", "COPTS")

_COPTS = [o for o in COPTS if o not in ("-Wconversion", "-Wmissing-prototypes")]

def nq_fuzz(name, deps, srcs = None):
    """Makes NAME (needs --config=fuzz) and NAME_replay, a test over tests/fuzz/corpus/NAME.

    Args:
      name: `foo_fuzz`, from `foo_fuzz.c`, which defines LLVMFuzzerTestOneInput.
      deps: the rooms under test.
      srcs: sources, when more than one.
    """
    sources = srcs or [name + ".c"]
    native.cc_binary(
        name = name,
        srcs = sources,
        copts = _COPTS + ["-fsanitize=fuzzer"],
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        testonly = True,
        deps = deps,
    )
    native.cc_test(
        name = name + "_replay",
        size = "small",
        srcs = sources + ["replay.c"],
        args = ["tests/fuzz/corpus/" + name],
        copts = _COPTS,
        data = native.glob(["corpus/%s/**" % name]),
        deps = deps,
    )
