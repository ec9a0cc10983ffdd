"""Models change under load: added, given a new head, pinned side by side, rolled back; no request fails, none mixes."""

import io
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import tritonclient.grpc as client
from reward_models.repository import REPOSITORY, versions
from typer.testing import CliRunner

from tests.conftest import start_stack, stop_stack
from tests.load import Load
from tests.stack.test_faults import pid_of, until

if TYPE_CHECKING:
    from tests.conftest import Stack

pytestmark = [pytest.mark.stack, pytest.mark.slow]

NAME = "text_harmless"
ROWS = [(f"question {i}", "an answer with some words " * (1 + i % 4)) for i in range(12)]
RECIPES = "rewards:\n  live: {{components: {{a: {{score: {0}}}}}}}\n  other: {{components: {{a: {{score: {1}}}}}}}\n"


def linked(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=os.link, ignore=shutil.ignore_patterns(".*", "configs", "[2-9]"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("live")
    linked(REPOSITORY / NAME, made / "repository" / NAME)
    (made / "rewards.yaml").write_text(RECIPES.format(NAME, NAME))
    return made


@pytest.fixture(scope="module")
def live(folder: Path) -> Iterator["Stack"]:
    """A stack of our own over a repository that may be written, with two gateway processes."""
    flags = ["--model-repository", folder / "repository", "--rewards-file", folder / "rewards.yaml"]
    running = start_stack(folder / "serve.log", *map(str, flags), "--workers", "2", "--keep-versions", "2")
    yield running
    stop_stack(running)


def head(scale: float) -> bytes:
    """The committed head, its scores multiplied."""
    with np.load(REPOSITORY / NAME / "1" / "head.npz") as arrays:
        changed = {name: np.array(arrays[name]) for name in arrays.files}
    for name in ("w0", "b0"):
        changed[name] *= changed[name].dtype.type(scale)
    body = io.BytesIO()
    np.savez(body, **changed)  # type: ignore[arg-type]
    return body.getvalue()


def put_head(stack: "Stack", scale: float, **headers: str) -> httpx.Response:
    return httpx.put(f"{stack.http}/v1/models/{NAME}/head", content=head(scale), headers=headers, timeout=60)


def infer(stack: "Stack", model: str) -> httpx.Response:
    """All rows, in Triton's own protocol."""
    columns = {"prompt": [p for p, _ in ROWS], "response": [r for _, r in ROWS]}
    inputs = [
        {"name": name, "shape": [len(ROWS), 1], "datatype": "BYTES", "data": data} for name, data in columns.items()
    ]
    return httpx.post(f"{stack.http}/v2/models/{model}/infer", json={"inputs": inputs}, timeout=120)


def direct(stack: "Stack", model: str) -> list[float]:
    """The scores of all rows, as Triton gives them to its own protocol."""
    answer = infer(stack, model)
    assert answer.status_code == 200, answer.text
    data: list[float] = next(out["data"] for out in answer.json()["outputs"] if out["name"] == "score")
    return data


def score(stack: "Stack", reward: str = "live", cache: str = "use", rows: list[int] | None = None) -> httpx.Response:
    samples = [{"prompt": ROWS[i][0], "response": ROWS[i][1]} for i in rows or range(len(ROWS))]
    body = {"reward": reward, "samples": samples, "options": {"cache": cache, "deadline_ms": 100_000}}
    return httpx.post(f"{stack.http}/v1/score", json=body, timeout=120)


def version_of(stack: "Stack", reward: str = "live") -> str:
    version: str = score(stack, reward).json()["results"][0]["components"]["a"]["model_version"]
    return version


class VersionsAsked(Load):
    """Asks all the time; what every version gives is compared at the end, when all of them are known."""

    def __init__(self, stack: "Stack") -> None:
        super().__init__(clients=3)
        self.stack = stack
        self.failed: list[Any] = []
        self.answered = 0
        self.seen: dict[tuple[str, int], set[float]] = {}
        self.slowest = 0.0

    def ask(self, turn: int) -> None:
        rows = [(turn + k) % len(ROWS) for k in range(1 + turn % 5)]
        began = time.monotonic()
        answer = score(self.stack, ("live", "other")[turn % 2], ("use", "off", "refresh")[turn % 3], rows)
        self.slowest = max(self.slowest, time.monotonic() - began)
        results = answer.json()["results"] if answer.status_code == 200 else []
        if not results or not all(result["valid"] for result in results):
            self.failed.append((answer.status_code, answer.text))
            return
        self.answered += 1
        asked = {result["components"]["a"]["model_version"] for result in results}
        if len(asked) != 1:
            self.failed.append(("mixed", asked))
        for i, result in zip(rows, results, strict=True):
            component = result["components"]["a"]
            self.seen.setdefault((component["model_version"], i), set()).add(component["raw"])

    def wrong(self, expected: dict[str, list[float]]) -> list[Any]:
        """Scores that are not those of the version that stands beside them."""
        return [
            (version, row, value, expected[version][row])
            for (version, row), values in self.seen.items()
            for value in values
            if abs(value - expected[version][row]) > 1e-5
        ]


def recipes(folder: Path, stack: "Stack", live: str, other: str, *, expect: Callable[[], bool]) -> None:
    (folder / "rewards.yaml").write_text(RECIPES.format(live, other))
    until(expect)


def served(stack: "Stack", name: str = NAME) -> list[str]:
    answer = httpx.get(f"{stack.http}/v1/models/{name}", timeout=60)
    return [version.partition("-")[0] for version in answer.json()["versions"]] if answer.status_code == 200 else []


def everywhere(true: Callable[[], bool]) -> Callable[[], bool]:
    """It holds whichever of the two processes answers: several times in a row, a connection each."""
    return lambda: all(true() for _ in range(8))


def test_a_model_is_added_upgraded_pinned_and_rolled_back_under_load(live: "Stack", folder: Path) -> None:
    expected = {version_of(live): direct(live, f"{NAME}@1")}
    first = next(iter(expected))
    with VersionsAsked(live) as load:
        # A new model, without a restart.
        linked(REPOSITORY / "text_preference", folder / "repository" / "text_preference")
        added = httpx.post(f"{live.http}/v2/repository/models/text_preference/load", timeout=60)
        assert added.status_code == 200, added.text
        assert len(direct(live, "text_preference")) == len(ROWS)

        # A new head answers the name; the version before still can be asked for.
        upgraded = put_head(live, 2.0, **{"If-Match": f'"{first}"'})
        assert upgraded.status_code == 200, upgraded.text
        second = upgraded.json()["version"]
        assert (upgraded.json()["number"], upgraded.json()["replaced"], upgraded.headers["etag"]) == (
            2,
            first,
            f'"{second}"',
        )
        expected[second] = direct(live, f"{NAME}@2")
        assert np.abs(np.subtract(expected[second], expected[first])).min() > 1e-3
        until(everywhere(lambda: version_of(live) == second))
        np.testing.assert_allclose(direct(live, f"{NAME}@1"), expected[first], atol=1e-5)

        # Side by side, by recipe.
        recipes(folder, live, f"{NAME}@1", f"{NAME}@2", expect=everywhere(lambda: version_of(live) == first))
        until(everywhere(lambda: version_of(live, "other") == second))
        refused = httpx.post(f"{live.http}/v1/models/{NAME}/rollback", timeout=60)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")

        # Traffic moved back by recipe, then the version withdrawn.
        recipes(folder, live, f"{NAME}@1", NAME, expect=everywhere(lambda: version_of(live, "other") == second))
        back = httpx.post(f"{live.http}/v1/models/{NAME}/rollback", timeout=60)
        assert (back.status_code, back.json()["version"]) == (200, first), back.text
        until(everywhere(lambda: version_of(live, "other") == first))
        assert served(live) == ["1"]

        # And forth again.
        assert httpx.post(f"{live.http}/v2/repository/models/{NAME}@2/load", timeout=60).status_code == 200
        until(everywhere(lambda: version_of(live, "other") == second))
    assert load.failed == []
    assert load.answered > 20
    assert load.wrong(expected) == []
    assert {version for version, _ in load.seen} == {first, second}
    print(f"{load.answered} answers, slowest {load.slowest:.2f} s")


def test_a_triton_that_died_comes_back_with_the_same_models_and_versions(live: "Stack") -> None:
    before = direct(live, f"{NAME}@1"), direct(live, f"{NAME}@2")
    os.kill(pid_of(live, "tritonserver"), signal.SIGKILL)
    time.sleep(0.5)
    # Each gateway process finds the server again by itself, within a second of the other.
    until(everywhere(lambda: score(live, cache="off").status_code == 200))
    until(everywhere(lambda: served(live, "text_preference") == ["1"]))
    until(everywhere(lambda: served(live) == ["1", "2"]))
    until(everywhere(lambda: all(infer(live, f"{NAME}@{k}").status_code == 200 for k in (1, 2))))
    np.testing.assert_allclose((direct(live, f"{NAME}@1"), direct(live, f"{NAME}@2")), before, atol=1e-5)


class TestAnUploadedHead:
    def test_the_same_head_again_is_no_new_version(self, live: "Stack") -> None:
        again = put_head(live, 2.0)
        assert (again.json()["created"], again.json()["number"]) == (False, 2)

    def test_one_that_was_trained_from_another_version_is_refused(self, live: "Stack") -> None:
        stale = put_head(live, 3.0, **{"X-Base-Version": "1"})
        assert (stale.status_code, stale.json()["error"]["code"]) == (412, "precondition_failed")
        assert served(live) == ["1", "2"]

    def test_what_is_no_head_of_this_model_is_refused(self, live: "Stack") -> None:
        for body in (b"", b"PK\x03\x04", b"\x80\x04garbage"):
            refused = httpx.put(f"{live.http}/v1/models/{NAME}/head", content=body, timeout=60)
            assert (refused.status_code, refused.json()["error"]["code"]) == (422, "invalid_request"), refused.text
        missing = httpx.put(f"{live.http}/v1/models/nothing/head", content=head(2.0), timeout=60)
        assert missing.status_code == 404

    def test_only_the_newest_stay_and_the_committed_files_are_as_they_were(self, live: "Stack", folder: Path) -> None:
        for scale in (3.0, 4.0):
            assert httpx.post(f"{live.http}/v1/models/{NAME}/head", content=head(scale), timeout=60).status_code == 200
        assert served(live) == ["1", "3", "4"]
        listed = versions.list_versions(folder / "repository", NAME)
        assert [(version.number, version.served) for version in listed] == [(1, True), (3, True), (4, True)]
        for file in ("config.pbtxt", "card.yaml", "1/head.npz"):
            assert (folder / "repository" / NAME / file).read_bytes() == (REPOSITORY / NAME / file).read_bytes()


def test_the_command_line_does_the_same(live: "Stack") -> None:
    from reward_gateway.cli.main import app

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["models", *arguments, "--url", live.http])

    assert run("rollback", NAME).exit_code == 0
    assert served(live) == ["1", "3"]
    assert f"{NAME}@3" in run("versions", NAME).stdout
    assert run("load", f"{NAME}@4").exit_code == 0
    assert served(live) == ["1", "3", "4"]
    assert run("load", "no_such_model").exit_code == 3


def test_tritons_own_client_loads_and_unloads_here(live: "Stack") -> None:
    with client.InferenceServerClient(live.grpc) as server:
        server.load_model("text_preference")
        assert server.is_model_ready("text_preference")
        server.unload_model("text_preference")
        with pytest.raises(client.InferenceServerException, match="parameters are not taken"):
            server.load_model("text_preference", config="{}")


def test_a_load_takes_no_configuration_in_the_place_of_the_repositorys(live: "Stack") -> None:
    override = {"parameters": {"config": "{}"}}
    refused = httpx.post(f"{live.http}/v2/repository/models/{NAME}/load", json=override, timeout=60)
    assert refused.status_code == 422
    assert "config" in refused.json()["error"]
