"""Generates neuroquantum/v1 from the protos whenever the package is built.

Generated code is not kept in the repository (docs/adr/0011-sdk-generated-code.md). The protos lie in
../../proto in a checkout, and in ./proto in a source distribution.
"""

import shutil
from importlib.metadata import version
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
FILES = ["types", "query", "stream", "pubsub", "operations", "admin"]


def proto_root():
    for root in (HERE / "proto", HERE.parents[1] / "proto"):
        if (root / "neuroquantum/v1/query.proto").exists():
            return root
    raise SystemExit("neuroquantum: the .proto files are neither in ./proto nor in ../../proto")


def generate(target):
    import grpc_tools
    from grpc_tools import protoc

    root = proto_root()
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    arguments = [
        "protoc",
        f"-I{root}",
        f"-I{well_known}",
        f"--python_out={target}",
        f"--pyi_out={target}",
        f"--grpc_python_out={target}",
        *(str(root / f"neuroquantum/v1/{name}.proto") for name in FILES),
    ]
    if protoc.main(arguments) != 0:
        raise SystemExit("neuroquantum: protoc failed")


class BuildPy(build_py):
    def run(self):
        generate(HERE)
        super().run()


class SourceDistribution(sdist):
    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        target = Path(base_dir) / "proto/neuroquantum/v1"
        target.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copy(proto_root() / f"neuroquantum/v1/{name}.proto", target)


def requirements():
    """Generated code refuses to run on a runtime older than its generator."""
    return [
        f"grpcio>={version('grpcio-tools')}",
        f"protobuf>={version('protobuf')}",
        "googleapis-common-protos>=1.56",
    ]


setup(install_requires=requirements(), cmdclass={"build_py": BuildPy, "sdist": SourceDistribution})
