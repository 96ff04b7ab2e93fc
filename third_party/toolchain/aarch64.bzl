"""Debian's aarch64 cross gcc as a Bazel C toolchain. The sysroot is made by deploy/dev/setup.sh arm64."""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "ACTION_NAMES")
load(
    "@bazel_tools//tools/cpp:cc_toolchain_config_lib.bzl",
    "feature",
    "flag_group",
    "flag_set",
    "tool_path",
    "with_feature_set",
)

_SYSROOT = "/opt/arm64-sysroot"
_PREFIX = "/usr/bin/aarch64-linux-gnu-"
_TOOLS = ["gcc", "ld", "ar", "cpp", "gcov", "nm", "objcopy", "objdump", "strip", "dwp"]

_COMPILE = [
    ACTION_NAMES.c_compile,
    ACTION_NAMES.cpp_compile,
    ACTION_NAMES.assemble,
    ACTION_NAMES.preprocess_assemble,
    ACTION_NAMES.cpp_header_parsing,
    ACTION_NAMES.linkstamp_compile,
]

_LINK = [
    ACTION_NAMES.cpp_link_executable,
    ACTION_NAMES.cpp_link_dynamic_library,
    ACTION_NAMES.cpp_link_nodeps_dynamic_library,
]

# The Raspberry Pi 4's Cortex-A72: CRC instructions, no LSE, no dot product.
_COMPILE_FLAGS = [
    "-no-canonical-prefixes",
    "-fno-canonical-system-headers",
    "-Wno-builtin-macro-redefined",
    "-D__DATE__=\"redacted\"",
    "-D__TIMESTAMP__=\"redacted\"",
    "-D__TIME__=\"redacted\"",
    "-march=armv8-a+crc",
    "-ffunction-sections",
    "-fdata-sections",
]

def _implementation(ctx):
    features = [
        feature(name = "default_flags", enabled = True, flag_sets = [
            flag_set(actions = _COMPILE, flag_groups = [flag_group(flags = _COMPILE_FLAGS)]),
            flag_set(
                actions = _COMPILE,
                flag_groups = [flag_group(flags = ["-O2", "-DNDEBUG"])],
                with_features = [with_feature_set(features = ["opt"])],
            ),
            flag_set(actions = _LINK, flag_groups = [flag_group(
                flags = ["-Wl,--gc-sections", "-Wl,-z,relro,-z,now", "-Wl,--as-needed"],
            )]),
        ]),
        feature(name = "opt"),
        feature(name = "dbg"),
        feature(name = "fastbuild"),
        feature(name = "supports_pic", enabled = True),
        feature(name = "supports_dynamic_linker", enabled = True),
    ]
    return cc_common.create_cc_toolchain_config_info(
        ctx = ctx,
        features = features,
        toolchain_identifier = "aarch64-debian",
        host_system_name = "local",
        target_system_name = "aarch64-linux-gnu",
        target_cpu = "aarch64",
        target_libc = "glibc",
        compiler = "gcc",
        abi_version = "gcc",
        abi_libc_version = "glibc",
        builtin_sysroot = _SYSROOT,
        cxx_builtin_include_directories = [
            "/usr/lib/gcc-cross/aarch64-linux-gnu/12/include",
            "/usr/aarch64-linux-gnu/include",
            "/usr/include",
            "%sysroot%/usr/include",
            "%sysroot%/usr/lib",
        ],
        tool_paths = [tool_path(name = name, path = _PREFIX + name) for name in _TOOLS],
    )

aarch64_config = rule(
    implementation = _implementation,
    attrs = {},
    provides = [CcToolchainConfigInfo],
)
