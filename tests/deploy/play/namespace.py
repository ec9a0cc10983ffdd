"""A part of this machine for pods alone: their network, mounts and processes end with it."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.deploy.play.images import ImageStore

NETWORK = "pods"
SUBNET = "10.89.7.0/24"
RESOLVER = "10.89.7.1"
"""The address of the network's bridge, at which Podman answers names of pods."""

CGROUPS = Path("/sys/fs/cgroup")
PARENT = "libpod_parent"
"""Podman's group of pods, in every hierarchy."""

FIRST_PROCESS = """
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount --bind "$1/resolv.conf" "$(readlink -f /etc/resolv.conf)"
mount --bind "$1/hosts" /etc/hosts
ip link set lo up
touch "$1/ready"
# The parent of all whose own ended: it waits for each, so that none is left as a zombie.
while :; do sleep 3600 & wait $!; done
"""

CONTAINERS_CONF = """
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "none"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
[containers]
log_driver = "k8s-file"
"""
STORAGE_CONF = """
[storage]
driver = "{driver}"
graphroot = "{folder}/containers"
runroot = "{folder}/run"
[storage.options]
additionalimagestores = ["{images}"]
"""


class Namespace:
    """Podman in namespaces of network, mounts and processes.

    Podman changes the firewall and forwarding of its network, keeps locks under `/dev/shm` and leaves processes behind
    that watch its containers: all of it is in here, and is gone after :meth:`close`, even where Podman was killed.

    Args:
        folder: empty; for all that Podman keeps.
        images: what it runs; they are read and never changed.
    """

    def __init__(self, folder: Path, images: ImageStore) -> None:
        self.folder = folder
        (folder / "resolv.conf").write_text(f"nameserver {RESOLVER}\n")
        (folder / "hosts").write_text("127.0.0.1 localhost\n")
        (folder / "containers.conf").write_text(CONTAINERS_CONF.format(folder=folder))
        storage = STORAGE_CONF.format(folder=folder, driver=images.driver, images=images.folder)
        (folder / "storage.conf").write_text(storage)
        self._groups_before = set(list_groups())
        argv = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._outer = subprocess.Popen(
            [*argv, "bash", "-c", FIRST_PROCESS, "pods", str(folder)], start_new_session=True
        )
        try:
            self._wait_until_made()
            self.podman("network", "create", "--subnet", SUBNET, NETWORK)
        except BaseException:
            self.close()
            raise

    def _wait_until_made(self) -> None:
        while not (self.folder / "ready").exists():
            assert self._outer.poll() is None, "no namespace could be made"
            time.sleep(0.02)
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children")
        (self._first,) = children.read_text().split()

    def command(self, *command: str) -> list[str]:
        """What runs a command in here."""
        return ["nsenter", "--target", self._first, "--net", "--mount", "--pid", "--", *command]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        files = {"CONTAINERS_CONF": "containers.conf", "CONTAINERS_STORAGE_CONF": "storage.conf"}
        return {**os.environ, **{name: str(self.folder / file) for name, file in files.items()}, **(more or {})}

    def run(
        self, *command: str, check: bool = True, given: str = "", variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in here to its end. Raises AssertionError with its output where it fails and `check` is set."""
        done = subprocess.run(
            self.command(*command),
            capture_output=True, text=True, check=False, input=given, env=self.environment(variables), cwd=self.folder,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{command}: {(done.stdout + done.stderr)[-4000:]}"
        return done

    def podman(self, *arguments: str, check: bool = True, given: str = "") -> str:
        return self.run("podman", *arguments, check=check, given=given).stdout.strip()

    def inspect(self, container: str) -> dict[str, Any]:
        """What Podman says of a container."""
        (found,) = json.loads(self.podman("container", "inspect", container))
        return dict(found)

    def start(self, *command: str, log: Path, variables: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command in here, which ends with the namespace at the latest; what it prints goes to a log."""
        with log.open("ab") as file:
            return subprocess.Popen(
                self.command(*command),
                stdin=subprocess.PIPE, stdout=file, stderr=file, text=True, env=self.environment(variables),
            )  # fmt: skip

    def close(self) -> None:
        """End all that runs in here, and remove its control groups and files."""
        with contextlib.suppress(AssertionError, AttributeError, subprocess.SubprocessError):
            self.podman("pod", "rm", "--force", "--all", "--time", "0")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._outer.pid, signal.SIGKILL)  # the first process inside is killed with it, and all with that
        self._outer.wait()
        remove_groups([group for group in list_groups() if group not in self._groups_before])
        shutil.rmtree(self.folder, ignore_errors=True)


def list_groups() -> list[Path]:
    """Control groups of Podman's pods, those inside of others first."""
    parents = [path for path in (CGROUPS / PARENT, *CGROUPS.glob(f"*/{PARENT}")) if path.is_dir()]
    return sorted((Path(folder) for parent in parents for folder, _, _ in os.walk(parent)), reverse=True)


def remove_groups(groups: Sequence[Path]) -> None:
    """Remove control groups; one with a process that has just been killed takes a moment."""
    end = time.monotonic() + 10
    for group in groups:
        while group.exists():
            try:
                group.rmdir()
            except OSError:  # of another Podman that has begun meanwhile, where it stays
                if time.monotonic() > end:
                    break
                time.sleep(0.05)
