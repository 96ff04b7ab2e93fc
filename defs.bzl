"""The build vocabulary: nq_room makes one room, which sees only lower rooms and is seen only by higher ones."""

load("//engine:layers.bzl", "ENGINE_ROOMS")
load("//server:layers.bzl", "SERVER_ROOMS")

COPTS = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wshadow",
    "-Wconversion",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Werror",
]

def _visibility(package):
    wing, room = package.split("/", 1)
    above, seen, open_room = [], False, False
    for name, is_open, _job in (ENGINE_ROOMS if wing == "engine" else SERVER_ROOMS):
        if seen:
            above.append("//%s/%s:__pkg__" % (wing, name))
        if name == room:
            seen, open_room = True, is_open
    if not seen:
        fail("%s has no line in //%s:layers.bzl" % (room, wing))
    return above + ["//tests:__subpackages__", "//bench:__subpackages__"] + (
        ["//server:__subpackages__"] if open_room else []
    )

def nq_room(deps = [], srcs = [], hdrs = [], copts = []):
    """One folder, one target, one concept. Headers ending in _internal.h stay inside.

    Args:
      deps: the lower rooms and third parties it uses.
      srcs: generated sources, beside the folder's own *.c.
      hdrs: generated headers, beside the folder's own *.h.
      copts: flags for this room only.
    """
    package = native.package_name()
    native.cc_library(
        name = package.split("/")[-1],
        srcs = native.glob(["*.c", "*_internal.h"]) + srcs,
        hdrs = native.glob(["*.h"], exclude = ["*_internal.h"]) + hdrs,
        textual_hdrs = native.glob(["*.def"]),
        copts = COPTS + copts,
        visibility = _visibility(package),
        deps = deps,
    )

def nq_test(name, srcs = None, deps = [], data = [], size = "small", copts = [], **kwargs):
    """One cmocka program: `foo_test` from `foo_test.c`, mirroring `foo.c` in the source tree."""
    native.cc_test(
        name = name,
        srcs = srcs or [name + ".c"],
        size = size,
        # A test may convert freely and use compound literals in tables; otherwise the product's warnings hold.
        copts = [o for o in COPTS if o not in ("-Wconversion", "-Wmissing-prototypes", "-Wpedantic")] + copts,
        # The cross linker resolves no library through another.
        deps = deps + [d for d in ("//third_party/system:cmocka", "//third_party/system:math") if d not in deps],
        data = data,
        **kwargs
    )
