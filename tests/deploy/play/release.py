"""A release of the chart as a user installs it: keys, TLS, recipes, a Redis elsewhere for scores, and state inside."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
import yaml
from reward_gateway.local.valkey import find_server

from tests.conftest import ROOT
from tests.deploy.play.namespace import RESOLVER, Namespace
from tests.deploy.play.pods import Pod, play_pod
from tests.deploy.play.translation import NAMESPACE, Object, Objects

CHART = ROOT / "deploy/helm/reward-gateway"
NAME = "rewards-reward-gateway"
HTTP, GRPC = f"https://{NAME}:8080", f"grpcs://{NAME}:8081"
PLAIN_HTTP, PLAIN_GRPC = f"http://{NAME}:8080", f"grpc://{NAME}:8081"
KEY = "a key of this test"
PASSWORD = "the password of a Redis elsewhere"

RECIPES: dict[str, Any] = {
    "default": "good",
    "rewards": {
        "good": {
            "components": {"helpful": {"score": "text_preference"}, "harmless": {"score": "text_harmless"}},
            "combine": "weighted_sum",
        },
        "scaled": {
            "components": {"a": {"score": "text_harmless", "transforms": [{"running_scale": {"stream": "played"}}]}}
        },
        "code": {"components": {"tests": {"score": "unit_tests", "params": {"timeout_s": 30}}}},
    },
}
VALUES: dict[str, Any] = {
    "auth": {
        "keys": [{"name": "trainer", "sha256": hashlib.sha256(KEY.encode()).hexdigest(), "rights": ["score", "state"]}]
    },
    "gateway": {"tls": {"existingSecret": "certificate"}, "settings": {"allow_untrusted_code": True}},
    "rewards": RECIPES,
    "triton": {"models": ["text_preference", "text_harmless"]},
    "valkey": {"enabled": False, "existingSecret": "redis"},
}

OPEN: dict[str, Any] = {"auth": {"allowUnauthenticated": True}}
"""The least that has to be said; all else as it is by default: no TLS, two Valkeys, every model of Triton's image."""


@dataclass
class Requests:
    """What came of many requests: how many were made, and the answers of those that failed."""

    made: int = 0
    failed: list[dict[str, Any]] = field(default_factory=list)


def render(values: dict[str, Any]) -> list[Object]:
    """The objects of a release with such values, without those that Podman has no use for."""
    helm = os.environ["HELM"]
    argv = [helm, "template", "rewards", str(CHART), "--namespace", NAMESPACE, "--values", "-"]
    done = subprocess.run(argv, input=yaml.safe_dump(values), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [made for made in yaml.safe_load_all(done.stdout) if made]


@dataclass
class Release:
    """A release in a namespace.

    Attributes:
        authority: signs the certificate of the gateway.
        folder: for files of the tests.
    """

    namespace: Namespace
    folder: Path
    authority: trustme.CA = field(default_factory=trustme.CA)
    values: dict[str, Any] = field(default_factory=lambda: dict(VALUES))
    pods: dict[tuple[str, int], Pod] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.certificate = self.issue_certificate()
        self.objects = self.render()
        self.authority.cert_pem.write_to_path(self.folder / "ca.crt")

    def issue_certificate(self) -> Object:
        """A Secret with a certificate for the Service, as cert-manager makes it."""
        names = [f"{NAME}{domain}" for domain in ("", f".{NAMESPACE}", f".{NAMESPACE}.svc")]
        issued = self.authority.issue_cert(*names)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems).decode()
        content = {"tls.crt": chain, "tls.key": issued.private_key_pem.bytes().decode()}
        return {"kind": "Secret", "metadata": {"name": "certificate"}, "stringData": content}

    def render(self) -> Objects:
        url = f"redis://:{PASSWORD.replace(' ', '%20')}@{RESOLVER}:6379/0"
        redis = {"kind": "Secret", "metadata": {"name": "redis"}, "stringData": {"url": url}}
        return Objects([*render(self.values), self.certificate, redis])

    def start_redis(self) -> None:
        """A Redis elsewhere: outside of all pods, with a password."""
        log = self.folder / "redis.log"
        server = [str(find_server()), "--port", "6379", "--bind", "0.0.0.0", "--save", "", "--requirepass", PASSWORD]
        self.namespace.start(*server, log=log)

    def play(self, kind: str, name: str, number: int = 0) -> Pod:
        """Run a pod of the release, in place of the one that there was."""
        self.remove(name, number)
        self.pods[name, number] = play_pod(self.namespace, self.objects, kind, name, number)
        return self.pods[name, number]

    def remove(self, name: str, number: int = 0) -> None:
        if (name, number) in self.pods:
            self.pods.pop((name, number)).remove()

    def close(self) -> None:
        """Remove its pods."""
        for name, number in [*self.pods]:
            self.remove(name, number)

    def change(self, **values: Any) -> None:
        """Change values of the release; :meth:`update` renders it."""
        self.values = {**self.values, **values}

    def update(self) -> None:
        """Render it with changed values, and bring files to the running pods."""
        self.objects = self.render()
        for pod in self.pods.values():
            pod.update_files(self.objects)

    def client(self, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """The command that runs `tests/deploy/play/client.py`, and its variables."""
        folders = os.pathsep.join(filter(None, [str(ROOT / "service"), str(ROOT), os.environ.get("PYTHONPATH")]))
        authority = str(self.folder / "ca.crt")
        variables = {"PYTHONPATH": folders, "REWARD_GATEWAY_API_KEY": KEY, "REWARD_GATEWAY_CA_FILE": authority}
        return [sys.executable, "-m", "tests.deploy.play.client", *arguments], variables

    def score(self, samples: list[dict[str, Any]], *, reward: str = "good", url: str = HTTP) -> dict[str, Any]:
        """What the Python client is answered inside the pods' network."""
        command, variables = self.client(url, reward)
        done = self.namespace.run(*command, given=json.dumps(samples), variables=variables)
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])  # after what the client logs
        return answer

    @contextmanager
    def scoring(self, samples: list[dict[str, Any]], *, reward: str = "good", url: str = HTTP) -> Iterator[Requests]:
        """The Python client scores, one request after the other, until the end of the block."""
        requests = Requests()
        command, variables = self.client(url, reward, "--until-closed")
        log = self.folder / "scoring.log"
        process = self.namespace.start(*command, log=log, variables=variables)
        assert process.stdin is not None
        process.stdin.write(json.dumps(samples) + "\n")
        process.stdin.flush()
        try:
            yield requests
        finally:
            process.stdin.close()
            process.wait(timeout=180)
        answer = json.loads(log.read_text().splitlines()[-1])
        requests.made, requests.failed = answer["made"], answer["failed"]

    def curl(self, path: str, *options: str, key: str = KEY) -> list[str]:
        """What asks for a path over HTTP, with a key."""
        trusted = ["--cacert", str(self.folder / "ca.crt")]
        headers = ["-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json"]
        return ["curl", "-sS", "-m", "120", *trusted, *headers, *options, f"{HTTP}{path}"]

    def get(self, path: str, *options: str) -> Any:
        """The JSON of an answer."""
        answered = self.namespace.run(*self.curl(path, *options)).stdout
        try:
            return json.loads(answered)
        except ValueError:
            raise AssertionError(f"{path} answered {answered}") from None

    def read_metrics(self) -> list[str]:
        return self.namespace.run(*self.curl("/metrics")).stdout.splitlines()

    def read_serial(self) -> str:
        """The serial number of the certificate that the gateway shows."""
        shown = self.namespace.run(*self.curl("/livez", "-o", "/dev/null", "-w", "%{certs}")).stdout
        return next(line for line in shown.splitlines() if line.startswith("Serial Number"))

    def wait_for(self, path: str, found: Any, seconds: float = 60.0) -> Any:
        """An answer for which `found` is true."""
        end = time.monotonic() + seconds
        while not found(answer := self.get(path)):
            assert time.monotonic() < end, answer
            time.sleep(0.5)
        return answer
