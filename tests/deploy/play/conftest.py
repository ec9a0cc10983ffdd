"""Tests that run pods of the rendered chart: with `PLAY_PODS=1`, as `make test-deploy` sets it, and never otherwise."""

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


MISSING = list_missing() if ASKED_FOR else []
if MISSING or not ASKED_FOR:
    collect_ignore = ["test_play.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if MISSING:
        packages = [name for name in MISSING if name != "root"]
        install = f"apt-get install {' '.join(packages)}" if packages else ""
        ways = " and ".join(filter(None, [install, "run it as root" if "root" in MISSING else ""]))
        terminalreporter.write_line(f"Pods of the chart were not run, since {', '.join(MISSING)} is missing: {ways}.")


@pytest.fixture(scope="session")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    """Podman in namespaces of its own, with the images of the chart."""
    images = build_images(tmp_path_factory.mktemp("images"))
    folder = ROOT / ".local/deploy/pods"  # short: the paths of sockets in here have 107 characters at most
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    made = Namespace(folder, images)
    try:
        yield made
    finally:
        made.close()
