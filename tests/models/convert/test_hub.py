"""Checkpoints by hub id: what is fetched, kept and resumed, and what is said where nothing can be fetched.

The hub's own client talks to a server on a local port that speaks the hub's API.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from reward_models.convert.hub import choose_files
from safetensors.numpy import save

from .hub_server import TOKEN, HubServer

PROGRAM = """
import sys
from reward_models.convert import Refused
from reward_models.convert.checkpoint import fetch_checkpoint
from reward_models.convert.layouts import find_file
from reward_models.convert.tensors import list_tensors
try:
    if (file := find_file(sys.argv[1], sys.argv[2])) is not None:
        print(file.parent, file.parent.name, file.name)
        sys.exit()
    found = fetch_checkpoint(sys.argv[1], sys.argv[2])
    print(found.folder, found.revision, found.called, *sorted(list_tensors(found.folder)))
except Refused as error:
    sys.exit(str(error))
"""

WEIGHTS = {f"model.layers.{k}.weight": np.full((64, 64), k, np.float32) for k in range(2)}
CONFIG = json.dumps({"architectures": ["LlamaForSequenceClassification"], "model_type": "llama"}).encode()
SHARDS = {
    f"model-0000{k + 1}-of-00002.safetensors": save({name: value}) for k, (name, value) in enumerate(WEIGHTS.items())
}
INDEX = json.dumps({"weight_map": dict(zip(WEIGHTS, SHARDS, strict=True))}).encode()
SHARDED = {"config.json": CONFIG, "tokenizer.json": b"{}", "model.safetensors.index.json": INDEX, **SHARDS}


@dataclass
class Machine:
    """A machine with a hub and a cache of its own."""

    hub: HubServer
    home: Path
    token: str = ""

    def run(self, name: str, revision: str = "", url: str = "") -> "subprocess.CompletedProcess[str]":
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        environment |= {
            "HF_ENDPOINT": url or self.hub.url,
            "HF_HOME": str(self.home),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        if self.token:
            environment["HF_TOKEN"] = self.token
        command = [sys.executable, "-W", "ignore", "-c", PROGRAM, name, revision]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    def fetch(self, name: str, revision: str = "") -> list[str]:
        """Folder, commit, name, and the names of the tensors."""
        done = self.run(name, revision)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    def refusal(self, name: str, revision: str = "", url: str = "") -> str:
        done = self.run(name, revision, url)
        assert done.returncode == 1
        return done.stderr.strip().rpartition("\n")[2]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    hub = HubServer()
    yield Machine(hub, tmp_path / "home")
    hub.close()


class TestWhatIsFetched:
    def test_every_shard_and_nothing_that_is_not_read(self, machine: Machine) -> None:
        others = {"modeling.py": b"raise SystemExit", "onnx/model.onnx": b"", "original/consolidated.safetensors": b""}
        commit = machine.hub.publish("owner/rm", SHARDED | others | {"pytorch_model.bin": b"a pickle"})
        folder, revision, called, *tensors = machine.fetch("owner/rm")
        assert (revision, called, tensors) == (commit, "owner/rm", sorted(WEIGHTS))
        assert {path.name for path in Path(folder).iterdir()} == set(SHARDED)
        assert sorted(machine.hub.fetched()) == sorted(SHARDED)

    def test_pickles_where_there_is_nothing_else(self, machine: Machine) -> None:
        machine.hub.publish("owner/old", {"config.json": CONFIG, "pytorch_model.bin": b"x", "training_args.bin": b"y"})
        done = machine.run("owner/old")
        assert "pytorch_model.bin" in machine.hub.fetched()
        assert "training_args.bin" not in machine.hub.fetched()
        assert "pytorch_model.bin" in done.stderr  # which is no pickle, and is refused in words

    def test_a_second_time_nothing_is_fetched(self, machine: Machine) -> None:
        machine.hub.publish("owner/rm", SHARDED)
        first = machine.fetch("owner/rm")
        machine.hub.requests.clear()
        assert machine.fetch("owner/rm") == first
        assert machine.hub.fetched() == []

    def test_what_was_fetched_serves_without_the_hub(self, machine: Machine) -> None:
        machine.hub.publish("owner/rm", SHARDED)
        first = machine.fetch("owner/rm")
        done = machine.run("owner/rm", url="http://127.0.0.1:9")
        assert done.stdout.split() == first


class TestOneFile:
    """A file of weights in the layout of another library: ``owner/name/FILE``."""

    FILES: ClassVar = {"weights-2.0.pt": b"old", "weights-2.1.pt": b"new", "README.md": b""}

    def test_the_one_that_is_named_is_fetched_and_kept(self, machine: Machine) -> None:
        commit = machine.hub.publish("owner/clip", self.FILES)
        folder, revision, file = machine.fetch("owner/clip/weights-2.1.pt")
        assert (revision, file) == (commit, "weights-2.1.pt")
        assert (Path(folder) / file).read_bytes() == b"new"
        assert machine.hub.fetched() == ["weights-2.1.pt"]
        done = machine.run("owner/clip/weights-2.1.pt", url="http://127.0.0.1:9")
        assert done.stdout.split() == [folder, revision, file]

    def test_one_that_there_is_not(self, machine: Machine) -> None:
        machine.hub.publish("owner/clip", self.FILES)
        assert machine.refusal("owner/clip/weights-3.pt") == "owner/clip has no file weights-3.pt."

    def test_an_id_without_a_file_is_told_of_it(self, machine: Machine) -> None:
        machine.hub.publish("owner/clip", self.FILES)
        said = machine.refusal("owner/clip")
        assert "has no config.json" in said
        assert "name that file (owner/clip/FILE), and its base with --base" in said


class TestRevisions:
    def test_a_branch_a_tag_and_a_commit(self, machine: Machine) -> None:
        old = machine.hub.publish("owner/rm", SHARDED, "main", "v1")
        new = machine.hub.publish("owner/rm", SHARDED | {"README.md": b"---\nlicense: mit\n---"}, "main")
        for asked, commit in (("", new), ("main", new), ("v1", old), (old, old)):
            assert machine.fetch("owner/rm", asked)[1] == commit

    def test_one_that_there_is_not(self, machine: Machine) -> None:
        machine.hub.publish("owner/rm", SHARDED)
        assert "owner/rm has no revision 'v9': give a branch, a tag" in machine.refusal("owner/rm", "v9")


class TestWhatCannotBeFetched:
    def test_a_repository_that_there_is_not(self, machine: Machine) -> None:
        said = machine.refusal("owner/missing")
        assert f"{machine.hub.url} has no model owner/missing, or none that you may see" in said
        assert "HF_TOKEN" in said

    def test_a_gated_repository(self, machine: Machine) -> None:
        machine.hub.publish("owner/gated", SHARDED, gated=True)
        said = machine.refusal("owner/gated")
        assert f"owner/gated is gated: accept its terms at {machine.hub.url}/owner/gated, and set HF_TOKEN" in said

    def test_its_terms_accepted(self, machine: Machine) -> None:
        machine.hub.publish("owner/gated", SHARDED, gated=True)
        machine.token = TOKEN
        assert machine.fetch("owner/gated")[2] == "owner/gated"

    def test_a_token_is_in_no_sentence(self, machine: Machine) -> None:
        machine.hub.publish("owner/gated", SHARDED, gated=True)
        machine.token = "hf_secret_of_another"
        done = machine.run("owner/gated")
        assert done.returncode == 1
        assert machine.token not in done.stderr

    def test_a_hub_that_is_away(self, machine: Machine) -> None:
        said = machine.refusal("owner/rm", url="http://127.0.0.1:9")
        assert "owner/rm could not be fetched from http://127.0.0.1:9" in said
        assert "Run the command again, which goes on where it ended" in said


class TestConnectionsThatBreak:
    def test_a_file_that_is_cut_halfway_goes_on_from_there(self, machine: Machine) -> None:
        content = save({"score.weight": np.arange(6 << 20, dtype=np.float32)})  # more than the client writes at once
        machine.hub.publish("owner/rm", {"config.json": CONFIG, "model.safetensors": content})
        machine.hub.cuts.add("model.safetensors")
        folder, *_ = machine.fetch("owner/rm")
        assert (Path(folder) / "model.safetensors").read_bytes() == content
        first, second = [
            part
            for method, path, part in machine.hub.requests
            if method == "GET" and path.endswith("model.safetensors")
        ]
        assert first in ("", "bytes=0-")
        assert 0 < int(second.removeprefix("bytes=").partition("-")[0]) <= len(content) // 2


def test_the_preferred_weights_are_chosen_by_name() -> None:
    names = ["pytorch_model.bin", "model.safetensors", "consolidated.00.pth", "config.json", "a/config.json", "code.py"]
    assert choose_files(names) == ["config.json", "model.safetensors"]
    assert choose_files(["config.json", "pytorch_model-00001-of-00002.bin", "scheduler.bin"]) == [
        "config.json",
        "pytorch_model-00001-of-00002.bin",
    ]
    assert choose_files(["adapter_config.json", "adapter_model.safetensors"]) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
