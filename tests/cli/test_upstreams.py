"""``upstreams check``: the file, then the servers that it names; and ``rewards check`` of recipes that name them."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.oip.conftest import Served, serving

BROKEN = "upstreams:\n  a: {protocol: telepathy, urls: [http://x]}\n  b: {protocol: openrlhf, urls: [], dns: 7}\n"


@pytest.fixture(scope="module")
def behind() -> Iterator[Served]:
    with serving() as running:
        yield running


def write(*entries: str) -> Path:
    file = Path("upstreams.yaml")
    file.write_text("upstreams:\n" + "".join(f"  {entry}\n" for entry in entries))
    return file


def test_every_fault_of_a_file_is_told_with_its_place(run: Run) -> None:
    Path("bad.yaml").write_text(BROKEN)
    checked = run("upstreams", "check", "bad.yaml")
    assert checked.code == 1
    lines = checked.out.splitlines()
    assert [line.startswith("bad.yaml: upstreams.") for line in lines] == [True] * len(lines)
    assert any("upstreams.a.protocol" in line for line in lines)
    assert any("upstreams.b.dns" in line for line in lines)
    Path("torn.yaml").write_text("upstreams: [")
    assert "line 1 is not YAML" in run("upstreams", "check", "torn.yaml").out


def test_offline_no_server_is_asked(run: Run) -> None:
    file = write("a: {protocol: openrlhf, urls: [http://127.0.0.1:9]}")
    checked = run("upstreams", "check", file, "--offline")
    assert (checked.code, checked.out) == (0, "")
    assert "1 upstream, no faults" in checked.err


def test_every_server_says_what_it_is(run: Run, behind: Served) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        file = write(
            f"good: {{protocol: openrlhf, urls: [http://{behind.http}]}}",
            f"away: {{protocol: openrlhf, urls: [http://127.0.0.1:{taken.getsockname()[1]}]}}",
            f"other: {{protocol: vllm_classify, urls: [http://{behind.http}], model: nobody}}",
            f"sigmoid: {{protocol: vllm_rerank, urls: [http://{behind.http}], model: plain}}",
        )
        checked = run("upstreams", "check", file)
    assert checked.code == 1
    rows = {line.split("\t")[0]: line.split("\t") for line in checked.out.splitlines() if "\t" in line}
    assert rows["good"][1] == behind.http
    assert len(rows["good"][2]) == 12
    assert rows["good"][3:] == ["36; 119", ""]
    assert "cannot be reached" in rows["away"][4]
    assert "see `model`" in rows["other"][4]
    assert "with and without use_activation" in rows["sigmoid"][4]
    faults = [line for line in checked.out.splitlines() if line.startswith("upstreams.yaml: upstreams.")]
    assert len(faults) == 3


def test_a_running_service_is_asked_what_it_serves(run: Run, behind: Served) -> None:
    file = write(f"good: {{protocol: openrlhf, urls: [http://{behind.http}]}}")
    checked = run("upstreams", "check", file, "--url", f"http://{behind.http}")
    assert checked.code == 1
    assert "does not serve it" in checked.out


def test_without_a_file_the_check_says_what_to_name(run: Run) -> None:
    checked = run("upstreams", "check")
    assert checked.code == 2
    assert "REWARD_GATEWAY_UPSTREAMS_FILE" in checked.err


def test_recipes_may_name_upstreams(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write("skywork: {protocol: openrlhf, urls: [http://x], dimensions: [score]}")
    Path("r.yaml").write_text("rewards:\n  r:\n    components:\n      a: {score: skywork}\n")
    Path("typo.yaml").write_text("rewards:\n  r:\n    components:\n      a: {score: skyworks}\n")
    assert run("rewards", "check", "r.yaml").code == 1
    assert run("rewards", "check", "r.yaml", "--upstreams", file).code == 0
    missing = run("rewards", "check", "typo.yaml", "--upstreams", file)
    assert missing.code == 1
    assert "did you mean 'skywork'?" in missing.out
    monkeypatch.setenv("REWARD_GATEWAY_UPSTREAMS_FILE", str(file))
    assert run("rewards", "check", "r.yaml").code == 0
