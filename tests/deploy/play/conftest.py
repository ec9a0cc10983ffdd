"""Tests that run pods of the rendered chart: with `PLAY_PODS=1`, as `make test-deploy` sets it, else skipped."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.deploy.play.images import build_images
from tests.deploy.play.namespace import Namespace

TOOLS = {
    "podman": "podman",
    "buildah": "buildah",
    "runc": "runc",
    "debootstrap": "debootstrap",
    "redis-cli": "redis-tools",
    "curl": "curl",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "iptables": "iptables",
}
"""What is run, and the package of Debian with it."""

NETWORKING = {"netavark": "netavark", "aardvark-dns": "aardvark-dns"}
"""Programs that Podman finds in a folder of its own."""

ASKED_FOR = bool(os.environ.get("PLAY_PODS"))


def list_missing() -> list[str]:
    """Packages of Debian that running pods needs and this machine has not, and `root`."""
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    folders = [Path(folder) for folder in ("/usr/lib/podman", "/usr/libexec/podman")]
    missing += [
        package for tool, package in NETWORKING.items() if not any((folder / tool).exists() for folder in folders)
    ]
    return missing + (["root"] if os.geteuid() else [])


def explain_skip() -> str:
    """Why no pods are run, and what to do; empty where they are."""
    if not ASKED_FOR:
        return "pods of the chart are run by make test-deploy"
    missing = list_missing()
    packages = " ".join(name for name in missing if name != "root")
    ways = [f"apt-get install {packages}"] * bool(packages) + ["run it as root"] * ("root" in missing)
    return f"pods of the chart are not run without {', '.join(missing)}: {' and '.join(ways)}" if missing else ""


@pytest.fixture(scope="session")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    """Podman in namespaces of its own, with the images of the chart."""
    if reason := explain_skip():
        pytest.skip(reason)
    images = build_images(tmp_path_factory.mktemp("images"))
    folder = ROOT / ".local/deploy/pods"  # short: the paths of sockets in here have 107 characters at most
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    made = Namespace(folder, images)
    try:
        yield made
    finally:
        made.close()
