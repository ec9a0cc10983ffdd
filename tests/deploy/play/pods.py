"""Pods as the kubelet runs them: volumes, the order of starts, probes, and the end."""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.deploy.play.namespace import NETWORK, Namespace
from tests.deploy.play.translation import Object, Objects, PodPlan, Volume, is_sidecar

READY_S = 300.0
"""Most seconds from the end of the startup probes until a pod is ready."""


@dataclass(frozen=True)
class Pod:
    """A pod that runs."""

    namespace: Namespace
    plan: PodPlan
    folder: Path

    def container(self, name: str) -> str:
        """A container's name to Podman."""
        return f"{self.plan.name}-{name}"

    @property
    def address(self) -> str:
        found = self.namespace.inspect(self._infra())
        return str(found["NetworkSettings"]["Networks"][NETWORK]["IPAddress"])

    @property
    def security(self) -> Object:
        """Its security context, which containers add to."""
        return self.plan.security

    def _infra(self) -> str:
        return self.namespace.podman("pod", "inspect", "--format", "{{.InfraContainerID}}", self.plan.name)

    def run(self, container: str, *command: str) -> str:
        """The output of a command in a container that ends well."""
        return self.namespace.podman("exec", self.container(container), *command)

    def read_log(self, container: str) -> str:
        done = self.namespace.run("podman", "logs", self.container(container), check=False)
        return done.stdout + done.stderr

    def start(self) -> None:
        """Start it as the kubelet does, until it is ready: first each init container until it has ended well or, where
        it is a sidecar, until its startup probe succeeds; then the others."""
        for container in self.plan.first:
            self._start_container(container)
            if not is_sidecar(container):
                status = self.wait_until_ended(container["name"])
                assert status == 0, f"{container['name']} ended with {status}:\n{self.read_log(container['name'])}"
        for container in self.plan.containers:
            self._start_container(container)
        self.wait_until_ready()

    def _start_container(self, container: Object) -> None:
        self.namespace.podman("start", self.container(container["name"]))
        if "startupProbe" in container:
            self._wait_for_probe(container, container["startupProbe"])

    def wait_until_ended(self, container: str) -> int:
        """The exit status of a container that ends by itself."""
        return int(self.namespace.podman("wait", self.container(container)))

    def wait_until_ready(self) -> None:
        for container in (*self.plan.first, *self.plan.containers):
            if "readinessProbe" in container:
                probe = {**container["readinessProbe"], "failureThreshold": READY_S}
                self._wait_for_probe(container, {**probe, "periodSeconds": 1})

    def _wait_for_probe(self, container: Object, probe: Object) -> None:
        period = probe.get("periodSeconds", 10)
        end = time.monotonic() + period * probe.get("failureThreshold", 3)
        while not self.passes(container, probe):
            running = self.namespace.inspect(self.container(container["name"]))["State"]["Running"]
            log = self.read_log(container["name"])[-4000:]
            assert running, f"{self.plan.name}: {container['name']} ended:\n{log}"
            assert time.monotonic() < end, f"{self.plan.name}: {container['name']} is not there:\n{log}"
            time.sleep(min(period, 1))

    def passes(self, container: Object, probe: Object) -> bool:
        """Whether a probe succeeds, asked as the kubelet does: in the container, or at the pod's address."""
        if "exec" in probe:
            name = self.container(container["name"])
            return self.namespace.run("podman", "exec", name, *probe["exec"]["command"], check=False).returncode == 0
        asked = probe["httpGet"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        port = ports.get(asked["port"], asked["port"])
        url = f"{asked.get('scheme', 'HTTP').lower()}://{self.address}:{port}{asked['path']}"
        timeout = str(probe.get("timeoutSeconds", 1))
        return self.namespace.run("curl", "-kfsS", "-m", timeout, "-o", "/dev/null", url, check=False).returncode == 0

    def is_healthy(self, container: str) -> bool:
        """Podman's own health check, which it makes of a liveness probe that is a command."""
        done = self.namespace.run("podman", "healthcheck", "run", self.container(container), check=False)
        return done.returncode == 0

    def kill(self, container: str) -> None:
        """SIGKILL to a container's first process, as the kernel does where memory ends."""
        process = self.namespace.inspect(self.container(container))["State"]["Pid"]
        self.namespace.run("kill", "-KILL", str(process))

    def wait_until_restarted(self, container: str) -> None:
        """Until a container has been started again, as its restart policy says, and passes its startup probe."""
        (found,) = (made for made in (*self.plan.first, *self.plan.containers) if made["name"] == container)
        end = time.monotonic() + READY_S
        while not self.namespace.inspect(self.container(container))["RestartCount"]:
            assert time.monotonic() < end, f"{container} was not started again"
            time.sleep(0.2)
        self._wait_for_probe(found, found["startupProbe"])

    def stop(self) -> dict[str, int]:
        """End it as the kubelet does, and leave its containers: `preStop`, then SIGTERM, sidecars last, all within the
        time that the pod has; then SIGKILL.

        Returns:
            How each container ended; 137 is one that had to be killed.
        """
        end = time.monotonic() + self.plan.grace_s
        for container in self.plan.containers:
            before = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ())
            if before:
                self.run(container["name"], *before)
        ended = {}
        for container in (*self.plan.containers, *filter(is_sidecar, reversed(self.plan.first))):
            left = max(1, round(end - time.monotonic()))
            name = self.container(container["name"])
            self.namespace.podman("stop", "--time", str(left), name)
            ended[container["name"]] = int(self.namespace.inspect(name)["State"]["ExitCode"])
        return ended

    def remove(self) -> None:
        """Remove it, and its volumes other than claims."""
        self.namespace.podman("pod", "rm", "--force", "--time", "0", self.plan.name)
        for volume in self.plan.volumes:
            self.namespace.run("umount", str(self.folder / volume.name), check=False)
        shutil.rmtree(self.folder)

    def update_files(self, objects: Objects) -> None:
        """Bring changed ConfigMaps and Secrets to the running containers, as the kubelet does within a minute."""
        for volume in self.plan.volumes:
            if volume.kind:
                write_files(self.folder / volume.name, volume, objects)


def play_pod(namespace: Namespace, objects: Objects, kind: str, name: str, number: int = 0) -> Pod:
    """Run a pod, or one of a Deployment or StatefulSet, until it is ready."""
    folder = namespace.folder / "volumes" / f"{name}-{kind.lower()}-{number}"
    plan = objects.plan_pod(kind, name, folder, number)
    folder.mkdir(parents=True)
    for volume in plan.volumes:
        make_volume(namespace, folder / volume.name, volume, objects)
    aliases = ",".join(f"alias={name}" for name in plan.names)
    network = f"{NETWORK}:{aliases}" if aliases else NETWORK
    given = yaml.safe_dump_all([made for made in plan.objects if not is_bound(namespace, made)])
    namespace.podman("kube", "play", "--start=false", "--network", network, "-", given=given)
    pod = Pod(namespace, plan, folder)
    pod.start()
    return pod


def is_bound(namespace: Namespace, made: Object) -> bool:
    """Whether an object is a claim with a volume already, as where a pod is replaced: Podman refuses it."""
    if made["kind"] != "PersistentVolumeClaim":
        return False
    name = made["metadata"]["name"]
    return namespace.run("podman", "volume", "exists", name, check=False).returncode == 0


def make_volume(namespace: Namespace, folder: Path, volume: Volume, objects: Objects) -> None:
    """Make the folder of a volume; an empty one is limited to its size, as the kubelet limits one in memory."""
    folder.mkdir()
    folder.chmod(0o777)
    if volume.kind:
        write_files(folder, volume, objects)
        return
    group = f",gid={volume.group}" if volume.group is not None else ""
    namespace.run("mount", "-t", "tmpfs", "-o", f"mode=2777,size={volume.size}{group}", "tmpfs", str(folder))


def write_files(folder: Path, volume: Volume, objects: Objects) -> None:
    """Write files as the kubelet does: into a new folder, to which the link `..data` then leads, so that all of them
    change at once; each name is a link to its file in there."""
    files = objects.read_files(volume.kind, volume.source)
    new = folder / f"..{time.time_ns()}"
    new.mkdir(mode=0o755)
    for name, content in files.items():
        (new / name).write_bytes(content)
        (new / name).chmod(volume.mode if volume.group is None else volume.mode | 0o440)
        os.chown(new / name, 0, volume.group or 0)
    current = folder / "..data"
    before = current.resolve() if current.is_symlink() else None
    (folder / "..data_tmp").symlink_to(new.name)
    (folder / "..data_tmp").rename(current)
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    if before is not None:
        shutil.rmtree(before)
