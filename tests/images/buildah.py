"""Buildah without a daemon and without namespaces: images are built and run in a changed root."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any


@dataclass
class Container:
    """A container of an image, which commands run in as the image says: user, environment, working directory."""

    name: str
    config: dict[str, Any]
    root: Path

    @property
    def environment(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.config["Env"])


@dataclass
class Buildah:
    """Images and containers in a folder of their own.

    Args:
        folder: for everything that Buildah keeps.
        volumes: folders of this machine that steps of a build may read, at the same places.
        driver: how layers are stored. `vfs` works everywhere and copies each; `overlay` needs the kernel's.
        layers: keep what each step made, so that a later build does again only the steps whose files changed.
    """

    folder: Path
    volumes: Sequence[Path] = ()
    driver: str = "vfs"
    layers: bool = False
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def build(self, context: Path, tag: str, *, file: Path | None = None, target: str = "", **arguments: str) -> None:
        """Build an image. Raises AssertionError with the end of the output where a step fails."""
        options = [f"--volume={path}:{path}:ro" for path in self.volumes]
        options += [f"--build-arg={name}={value}" for name, value in arguments.items()]
        options += [f"--target={target}"] if target else []
        options += ["--layers"] if self.layers else []
        options += [f"--file={file}"] if file else []
        self._call("bud", "--isolation=chroot", "--format=docker", f"--tag={tag}", *options, str(context))

    def container(self, image: str) -> Container:
        """A container of an image of ours, its root mounted."""
        name = self._call("from", "--pull-never", image)
        config = json.loads(self._call("inspect", "--type=image", image))["Docker"]["config"]
        return Container(name, config, Path(self._call("mount", name)))

    def command(self, container: Container, *command: str, volumes: Sequence[str] = (), **variables: str) -> list[str]:
        """What runs a command in a container."""
        options = [f"--volume={volume}" for volume in volumes]
        options += [f"--env={name}={value}" for name, value in variables.items()]
        return [*self._buildah(), "run", "--isolation=chroot", *options, container.name, "--", *command]

    def run(self, container: Container, *command: str) -> str:
        """The output of a command that ends well."""
        done = subprocess.run(self.command(container, *command), capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        return done.stdout

    def start(
        self, container: Container, *more: str, log: IO[bytes], volumes: Sequence[str] = (), **variables: str
    ) -> subprocess.Popen[bytes]:
        """The image's own command, with more arguments at its end, until :meth:`stop`."""
        command = self.command(container, *container.config["Cmd"], *more, volumes=volumes, **variables)
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self._running.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """SIGTERM to all that a command started; SIGKILL to what is left after half a minute."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(timeout=30)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        if process in self._running:
            self._running.remove(process)

    def close(self) -> None:
        """Stop what runs, and remove all images and containers with the folder."""
        for process in [*self._running]:
            self.stop(process)
        subprocess.run([*self._buildah(), "rm", "--all"], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _buildah(self) -> list[str]:
        return [
            "buildah",
            f"--storage-driver={self.driver}",
            f"--root={self.folder / 'root'}",
            f"--runroot={self.folder / 'run'}",
        ]

    def _call(self, *arguments: str) -> str:
        environment: Mapping[str, str] = {**os.environ, "TMPDIR": str(self.folder)}
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [*self._buildah(), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
        return done.stdout.strip()
