"""What both images are built over: small bases in place of the public ones, and a clone as a user has it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from reward_models.repository import versions

from tests.conftest import ROOT
from tests.images.buildah import Buildah

ADDED = "pair"
"""A converted checkpoint of the tests, added as `models add` adds one."""

CONVERTED = ROOT / "tests/models/convert/converted"
SERVER = ROOT / ".venv/triton"
"""The environment of the embedded Triton, whose server stands in for the one of NVIDIA's image."""

INDEX_SETTINGS = {
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "trusted-host",
    "cert",
    "client-cert",
    "proxy",
}
"""What pip's settings say of where packages come from."""

STUB = "triton_python_backend_stub"

PYTHON = "localhost/python-base"
TRITON = "localhost/triton-base"

PYTHON_BASE = """\
FROM scratch
ADD debian.tar /
COPY certificates /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin {settings}
"""
TRITON_BASE = """\
FROM localhost/python-base
COPY server /opt/tritonserver
COPY --chmod=755 tritonserver /usr/local/bin/tritonserver
"""
SERVER_COMMAND = """\
#!/bin/sh
exec /opt/tritonserver/pytriton/tritonserver/bin/tritonserver \
  --backend-directory=/opt/tritonserver/pytriton/tritonserver/backends "$@"
"""


def copy_clone(folder: Path) -> None:
    """The files of a clone, as they are in this one."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def add_model(folder: Path) -> None:
    """Add a model to a clone, as a user does."""
    versions.publish_version(folder / "models/repository", ADDED, CONVERTED / ADDED)


def build_bases(buildah: Buildah, prepared: Path, folder: Path) -> None:
    """An image for each base.

    Args:
        buildah: keeps the images.
        prepared: the folder with `debian.tar`, as `tests/images/base.sh` makes it.
        folder: an empty folder for what is copied into them.
    """
    settings = package_settings()
    build_python_base(buildah, settings, prepared, folder / "python")
    build_triton_base(buildah, folder / "triton")


def build_gateway(buildah: Buildah, context: Path, tag: str) -> None:
    """The target `gateway` of the Dockerfile."""
    buildah.build(context, tag, target="gateway", PYTHON_IMAGE=PYTHON)


def build_triton(buildah: Buildah, context: Path, tag: str) -> None:
    """The target `triton` of the Dockerfile, over the embedded server."""
    buildah.build(context, tag, target="triton", PYTHON_IMAGE=PYTHON, TRITON_IMAGE=TRITON)


def package_settings() -> dict[str, str]:
    """Where packages come from on this machine, as variables of pip and of uv."""
    found: dict[str, str] = {}
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2]
        if name in INDEX_SETTINGS:
            words = value.strip("'\"").replace("\\n", " ").split()
            found[f"PIP_{name.upper().replace('-', '_')}"] = " ".join(words)
    script = f'env -i; eval "$({sys.executable} requirements/pip_settings.py)"; env'
    told = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    kept = re.findall(r"^((?:UV_[A-Z_]+|SSL_CERT_FILE))=(.*)$", told, re.MULTILINE)
    return {**found, **dict(kept), "UV_INDEX_STRATEGY": "unsafe-best-match"}


def find_folders(settings: dict[str, str]) -> list[Path]:
    """The folders of this machine that packages come from; those of an index lie beside its pages."""
    words = [word for value in settings.values() for word in value.split()]
    indexes = {Path(word.removeprefix("file://")).parent for word in words if word.startswith("file://")}
    paths = indexes | {Path(word) for word in words if word.startswith("/") and Path(word).is_dir()}
    return sorted(path for path in paths if not paths & {*path.parents})


def build_python_base(buildah: Buildah, settings: dict[str, str], prepared: Path, folder: Path) -> None:
    folder.mkdir()
    try:
        os.link(prepared / "debian.tar", folder / "debian.tar")
    except OSError:  # another file system
        shutil.copyfile(prepared / "debian.tar", folder / "debian.tar")
    certificates = folder / "certificates"
    certificates.mkdir()
    for name in ("PIP_CERT", "SSL_CERT_FILE"):
        if name in settings:
            target = certificates / settings[name].lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(settings[name], target)
    lines = " ".join(f'{name}="{value}"' for name, value in settings.items())
    (folder / "Containerfile").write_text(PYTHON_BASE.format(settings=lines))
    buildah.build(folder, "python-base", file=folder / "Containerfile")


def build_triton_base(buildah: Buildah, folder: Path) -> None:
    """The parts of the embedded server, in the same places beside each other, as its library paths want them."""
    (packages,) = SERVER.glob("lib/python3.*/site-packages")
    root = folder / "server/pytriton/tritonserver"
    shutil.copytree(packages / "pytriton/tritonserver", root)
    shutil.copytree(packages / "nvidia_pytriton.libs", folder / "server/nvidia_pytriton.libs")
    shutil.copyfile(root / "python_backend_stubs/3.11" / STUB, root / "backends/python" / STUB)
    (root / "backends/python" / STUB).chmod(0o755)  # the wheel's is not, and nobody in the container may change it
    (folder / "tritonserver").write_text(SERVER_COMMAND)
    (folder / "Containerfile").write_text(TRITON_BASE)
    buildah.build(folder, "triton-base", file=folder / "Containerfile")
