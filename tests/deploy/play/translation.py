"""Objects of the rendered chart as what `podman kube play` of Podman 4.3 takes; :data:`CHANGES` is all that is changed.

What Podman is not told stays with the caller, in :class:`PodPlan`: the order of starts, probes, hooks, volumes, names.
"""

import base64
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Object = dict[str, Any]

NAMESPACE = "rl"

CHANGES: dict[str, str] = {
    "Deployment": "its template is played as the pod NAME-0, NAME-1: Podman would play one replica, as NAME-pod",
    "StatefulSet": "as a Deployment, with a claim for each of its templates: Podman knows none",
    "spec.initContainers": "are containers: Podman has no sidecars, and would start none while it waits for another to "
    "end; the caller starts them in the chart's order",
    "spec.restartPolicy": "is OnFailure where init containers end, so that Podman does not start these again",
    "spec.volumes": "are folders of this machine, filled as the kubelet fills them: Podman has no `emptyDir`, keeps "
    "Secrets in a store of its own, and changes no file of a running pod",
    "container.restartPolicy": "is what makes an init container a sidecar",
    "container.securityContext": "has the pod's user and group, which Podman looks for in each container alone",
    "container.env": "has the values of Secrets, which are not in Podman's store; and of ConfigMaps",
    "container.ports": "are left out: Podman would publish them on this machine; Services need none",
    "container.startupProbe": "is asked by the caller: Podman knows none",
    "container.readinessProbe": "is asked by the caller: Podman knows none",
    "container.livenessProbe": "stays where it is a command; for HTTP, Podman would run curl, which the image lacks",
    "container.lifecycle": "is run by the caller: Podman has no hooks",
}
"""What is not played as it was rendered, and why; `spec.` is of the pod, `container.` of each container in it."""

LEFT_OUT = {name.removeprefix("container.") for name in CHANGES if name.startswith("container.")}
SOURCES = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}


@dataclass(frozen=True)
class Volume:
    """A folder of this machine, as the kubelet would make it.

    Attributes:
        kind: `ConfigMap` or `Secret`; empty: the containers write to it.
        source: the name of that object.
        mode: of its files.
        size: most bytes in it, as `mount` takes them.
        group: who may read or write it beside its owner.
    """

    name: str
    kind: str = ""
    source: str = ""
    mode: int = 0o644
    size: str = "50%"
    group: int | None = None


@dataclass(frozen=True)
class PodPlan:
    """A pod, and what Podman is not told of it.

    Attributes:
        objects: for `podman kube play`: the pod, and claims that it names.
        first: init containers, in their order: those that end, and sidecars, which end after the others.
        containers: the others, as the chart has them.
        volumes: folders to make before the start.
        names: those of Services that select the pod.
        security: the pod's security context.
        grace_s: seconds from its deletion until it is killed.
    """

    name: str
    objects: list[Object]
    first: list[Object]
    containers: list[Object]
    volumes: list[Volume]
    names: list[str]
    security: Object
    grace_s: float


class Objects:
    """All objects of a release, with those that a user made beside it."""

    def __init__(self, objects: Sequence[Object]) -> None:
        self._by_key = {(made["kind"], made["metadata"]["name"]): made for made in objects}

    def get(self, kind: str, name: str) -> Object:
        return self._by_key[kind, name]

    def read_files(self, kind: str, name: str) -> dict[str, bytes]:
        """The content of a ConfigMap or Secret."""
        made = self.get(kind, name)
        binary = {key: base64.b64decode(value) for key, value in made.get("binaryData", {}).items()}
        data = made.get("data", {}).items()
        binary |= {key: base64.b64decode(value) if kind == "Secret" else value.encode() for key, value in data}
        return binary | {key: value.encode() for key, value in made.get("stringData", {}).items()}

    def list_names(self, labels: Mapping[str, str]) -> list[str]:
        """Names under which pods with such labels are reached, as the cluster's resolver knows them."""
        names = []
        for (kind, name), made in self._by_key.items():
            if kind == "Service" and made["spec"]["selector"].items() <= labels.items():
                domain = f"{name}.{NAMESPACE}"
                names += [name, domain, f"{domain}.svc", f"{domain}.svc.cluster.local"]
        return names

    def check_ports(self, labels: Mapping[str, str], containers: Sequence[Object]) -> None:
        """Raises ValueError where a Service has another port than the pod: a name in a resolver cannot map it."""
        ports = {port["name"]: port["containerPort"] for made in containers for port in made.get("ports", ())}
        for (kind, name), made in self._by_key.items():
            if kind == "Service" and made["spec"]["selector"].items() <= labels.items():
                for port in made["spec"]["ports"]:
                    target = port.get("targetPort", port["port"])
                    if ports.get(target, target) != port["port"]:
                        raise ValueError(f"Service {name}: port {port['port']} is {target} in the pod")

    def plan_pod(self, kind: str, name: str, folder: Path, number: int = 0) -> PodPlan:
        """The pod, or a pod of a Deployment or StatefulSet.

        Args:
            number: of the pod in its Deployment or StatefulSet.
            folder: where its volumes are made.
        """
        made = copy.deepcopy(self.get(kind, name))
        template = made if kind == "Pod" else made["spec"]["template"]
        spec, labels = template["spec"], template["metadata"].get("labels", {})
        pod = name if kind == "Pod" else f"{name}-{number}"
        claims = {claim["metadata"]["name"]: claim for claim in made["spec"].get("volumeClaimTemplates", ())}
        first = spec.pop("initContainers", [])
        containers = [*first, *spec["containers"]]
        self.check_ports(labels, containers)
        security = spec.get("securityContext", {})
        volumes = [plan_volume(volume, security.get("fsGroup")) for volume in spec.get("volumes", ())]
        restarts = spec.get("restartPolicy", "Always")
        ends = any(not is_sidecar(container) for container in first)
        played: Object = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": pod, "labels": labels},
            "spec": {
                **spec,
                "restartPolicy": "OnFailure" if ends and restarts == "Always" else restarts,
                "containers": [self._play_container(container, security) for container in containers],
                "volumes": [
                    *({"name": volume.name, "hostPath": {"path": str(folder / volume.name)}} for volume in volumes),
                    *({"name": claim, "persistentVolumeClaim": {"claimName": f"{claim}-{pod}"}} for claim in claims),
                ],
            },
        }
        return PodPlan(
            name=pod,
            objects=[*(claim_volume(claim, f"{name}-{pod}") for name, claim in claims.items()), played],
            first=first,
            containers=spec["containers"],
            volumes=volumes,
            names=self.list_names(labels),
            security=security,
            grace_s=float(spec.get("terminationGracePeriodSeconds", 30)),
        )

    def _play_container(self, container: Object, security: Object) -> Object:
        """A container as Podman takes it."""
        played = {name: value for name, value in container.items() if name not in LEFT_OUT}
        played["securityContext"] = {
            **{name: security[name] for name in ("runAsUser", "runAsGroup") if name in security},
            **container.get("securityContext", {}),
        }
        played["env"] = [self._resolve_variable(variable) for variable in container.get("env", ())]
        if "exec" in container.get("livenessProbe", {}):
            played["livenessProbe"] = container["livenessProbe"]
        return played

    def _resolve_variable(self, variable: Object) -> Object:
        if "valueFrom" not in variable:
            return variable
        (kind, reference), *more = variable["valueFrom"].items()
        if more or kind not in SOURCES:
            raise ValueError(f"variable {variable['name']}: of a kind that is not played yet")
        value = self.read_files(SOURCES[kind], reference["name"])[reference["key"]]
        return {"name": variable["name"], "value": value.decode()}


def is_sidecar(container: Object) -> bool:
    """Whether an init container stays beside the others."""
    return bool(container.get("restartPolicy") == "Always")


def plan_volume(volume: Object, group: int | None) -> Volume:
    """A volume of a pod other than a claim. Raises ValueError for kinds that the chart does not have."""
    name = volume["name"]
    match volume:
        case {"configMap": source}:
            return Volume(name, "ConfigMap", source["name"], source.get("defaultMode", 0o644), group=group)
        case {"secret": source}:
            return Volume(name, "Secret", source["secretName"], source.get("defaultMode", 0o644), group=group)
        case {"emptyDir": source}:
            size = source.get("sizeLimit")
            return Volume(name, size=str(parse_size(size)) if size else "50%", group=group)
    raise ValueError(f"volume {name}: of a kind that is not played yet")


def parse_size(text: str) -> int:
    """Bytes of a quantity as the chart writes them: `64Mi`, `1Gi`."""
    return int(text[:-2]) << {"Ki": 10, "Mi": 20, "Gi": 30}[text[-2:]]


def claim_volume(template: Object, name: str) -> Object:
    """The claim that a StatefulSet makes for a pod."""
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": template["spec"]}
