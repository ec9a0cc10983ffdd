"""Writes the code of the published ``.proto``: ``python -m reward_gateway.proto.generate`` fills this folder.

The code is committed, so that serving needs no compiler. Two things are changed in what protoc writes:
modules import from their own package, not from the root of the path; and the messages do not insist on
the protobuf release that the compiler was built with. They only load a descriptor, which every release
since 4.21 can do, and the client has to live beside whatever release a trainer's other packages ask for.
"""

import argparse
import re
import tempfile
from importlib.resources import files
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROTO = Path("reward_gateway/v1/reward.proto")
INIT = '"""Code that protoc wrote from the published .proto; see ``reward_gateway.proto.generate``."""\n'


def generate() -> dict[str, str]:
    """File name -> content of everything that protoc writes into this folder.

    Raises:
        RuntimeError: protoc refused the .proto; its reasons are on standard error.
    """
    from grpc_tools import protoc  # type: ignore[import-untyped]

    with tempfile.TemporaryDirectory() as folder:
        arguments = ["protoc", f"-I{HERE}", f"-I{files('grpc_tools') / '_proto'}"]
        outputs = [f"--{kind}={folder}" for kind in ("python_out", "pyi_out", "grpc_python_out")]
        if protoc.main([*arguments, *outputs, str(PROTO)]) != 0:
            raise RuntimeError(f"protoc refused {PROTO}")
        written = {path.name: path.read_text() for path in (Path(folder) / PROTO.parent).iterdir()}
    return {"__init__.py": INIT, **{name: portable(text) for name, text in written.items()}}


def portable(text: str) -> str:
    """Generated code that imports from its own package and runs with any release of protobuf that has builders."""
    text = text.replace(f"from {'.'.join(PROTO.parent.parts)} import reward_pb2", "from . import reward_pb2")
    text = re.sub(r"^_runtime_version\.Validate\w+\(.*?^\)\n", "", text, flags=re.DOTALL | re.MULTILINE)
    return text.replace("from google.protobuf import runtime_version as _runtime_version\n", "")


def main() -> None:
    """Write the files, or with ``--check`` say whether those that are there are up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where a file is out of date")
    check = parser.parse_args().check
    stale = [name for name, text in generate().items() if read(HERE / name) != text]
    if check:
        raise SystemExit(f"out of date: {', '.join(stale)}" if stale else 0)
    for name, text in generate().items():
        (HERE / name).write_text(text)


def read(path: Path) -> str | None:
    """The text of a file, None where there is none."""
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    main()
