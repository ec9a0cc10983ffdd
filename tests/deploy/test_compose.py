"""The compose file: hardened services, nothing published but the gateway, settings that exist."""

import hashlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from reward_gateway.backends.upstreams.file import load_upstreams_file
from reward_gateway.settings import Settings
from reward_gateway.traffic.keys import ApiKey
from reward_models.repository import REPOSITORY, list_models
from reward_models.repository.card import VERSION_FOLDER, read_card

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
VARIABLES = {f"REWARD_GATEWAY_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened_and_says_whether_it_is_well(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert int(service["user"].partition(":")[0]) > 0
    assert service["healthcheck"]["test"][0] == "CMD"


def test_only_the_gateway_is_published_and_on_loopback_unless_asked() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"gateway"}
    assert all(port.startswith("${PUBLISH:-127.0.0.1}:") for port in SERVICES["gateway"]["ports"])
    assert {name for name, service in SERVICES.items() if service["networks"] == ["inside"]} == {
        "triton",
        "valkey",
        "state",
    }


def test_every_variable_given_to_the_gateway_is_a_setting() -> None:
    assert set(SERVICES["gateway"]["environment"]) <= VARIABLES
    image = re.findall(r"\b(REWARD_GATEWAY_[A-Z_]+)=", (ROOT / "Dockerfile").read_text())
    assert image
    assert set(image) <= VARIABLES


def test_every_setting_may_be_given_in_a_file_that_need_not_be_there() -> None:
    assert SERVICES["gateway"]["env_file"] == [{"path": "gateway.env", "required": False}]
    ignored = subprocess.run(["git", "check-ignore", "-q", "deploy/gateway.env", "deploy/tls/key.pem"], cwd=ROOT)
    assert ignored.returncode in (0, 128), "they may hold secrets"


def test_tls_is_added_by_a_file_of_its_own_and_asked_by_the_health_check() -> None:
    gateway = yaml.safe_load((ROOT / "deploy/compose.tls.yaml").read_text())["services"]["gateway"]
    assert set(gateway["environment"]) == {"REWARD_GATEWAY_TLS_CERTIFICATE", "REWARD_GATEWAY_TLS_KEY"}
    folder = gateway["volumes"][0].split(":")[-2]
    assert all(path.startswith(f"{folder}/") for path in gateway["environment"].values())
    assert "REWARD_GATEWAY_TLS_CERTIFICATE" in SERVICES["gateway"]["healthcheck"]["test"][-1]


class Overriding(yaml.SafeLoader):
    """Reads Compose's own tag, which replaces what other files say."""


def read_override(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> list[Any]:
    return loader.construct_sequence(node, deep=True)


Overriding.add_constructor("!override", read_override)


def test_several_gpus_are_shared_out_among_servers_that_the_gateway_asks() -> None:
    services = yaml.load((ROOT / "deploy/compose.gpus.yaml").read_text(), Overriding)["services"]
    given = {
        name: [
            gpu for device in service["deploy"]["resources"]["reservations"]["devices"] for gpu in device["device_ids"]
        ]
        for name, service in services.items()
        if "deploy" in service
    }
    assert sorted(gpu for gpus in given.values() for gpu in gpus) == ["0", "1", "2", "3"]
    environment = services["gateway"]["environment"]
    settings = Settings(triton_url=environment["REWARD_GATEWAY_TRITON_URL"])
    assert [url.partition(":")[0] for url in settings.triton_urls] == ["triton", "triton-1"]
    assert services["triton-1"]["extends"] == {"file": "compose.yaml", "service": "triton"}
    vllm = services["vllm"]
    assert (vllm["read_only"], vllm["cap_drop"], "ports" in vllm) == (True, ["ALL"], False)
    assert f"--tensor-parallel-size={len(given['vllm'])}" in vllm["command"]
    (upstream,) = load_upstreams_file(ROOT / "deploy/upstreams.example.yaml").upstreams
    written = yaml.safe_load((ROOT / "deploy/upstreams.example.yaml").read_text())["upstreams"]["skywork"]
    assert upstream == "skywork"
    assert written["urls"] == ["http://vllm:8000"]
    assert f"--served-model-name={written['model']}" in vllm["command"]


def test_scores_may_be_evicted_and_state_may_not_and_is_kept_on_a_volume() -> None:
    cache, state = SERVICES["valkey"], SERVICES["state"]
    assert cache["command"][cache["command"].index("--maxmemory-policy") + 1] == "volatile-lru"
    assert state["command"][state["command"].index("--maxmemory-policy") + 1] == "noeviction"
    assert state["command"][state["command"].index("--appendonly") + 1] == "yes"
    assert set(cache["volumes"]).isdisjoint(state["volumes"])
    variables = SERVICES["gateway"]["environment"]
    assert variables["REWARD_GATEWAY_REDIS_URL"] == "redis://valkey:6379/0"
    assert variables["REWARD_GATEWAY_STATE_REDIS_URL"] == "redis://state:6379/0"


def test_docker_waits_longer_than_the_gateway_drains() -> None:
    grace = float(SERVICES["gateway"]["stop_grace_period"].removesuffix("s"))
    assert grace > Settings.model_fields["drain_s"].default + 3


def test_the_example_keys_are_read_and_their_comment_is_true() -> None:
    text = (ROOT / "deploy/api-keys.example.yaml").read_text()
    key = ApiKey.model_validate(yaml.safe_load(text)["keys"][0])
    said = re.search(r"text is\s+(\S+)", text)
    assert said is not None
    assert key.sha256 == hashlib.sha256(said[1].encode()).hexdigest()


def test_every_file_that_the_dockerfile_copies_is_let_through() -> None:
    ignore = (ROOT / ".dockerignore").read_text().split()
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    copied = [
        part
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        for part in line.split()
    ]
    assert len(copied) >= 6
    assert {part.partition("/")[0] for part in copied} <= allowed
    assert all((ROOT / part).exists() for part in copied)


def test_what_the_image_builds_of_packages_is_left_out_of_its_context_and_nothing_else_of_the_models() -> None:
    built = {
        f"models/repository/{name}/{VERSION_FOLDER}/{file.name}"
        for name in shipped()
        for file in read_card(REPOSITORY / name).files
        if file.kind != "head"
    }
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    left_out = {line for line in lines if line.startswith("models/repository/") and "/." not in line}

    assert len(built) > 20
    assert left_out == built


def shipped() -> list[str]:
    """The models of the checkout; others of the folder were added on this machine."""
    listed = subprocess.run(
        ["git", "ls-files", "models/repository/*/card.yaml"], cwd=ROOT, capture_output=True, text=True
    )
    return [Path(line).parent.name for line in listed.stdout.splitlines()] or list_models()
