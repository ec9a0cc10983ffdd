"""Every command and snippet of the guide is run, read or checked, as its mark says."""

import json
from pathlib import Path

import pytest
import yaml
from reward_gateway.backends.judges.config import load_judges
from reward_gateway.backends.upstreams.file import load_upstreams
from reward_gateway.recipes.book import load_book
from reward_gateway.traffic.keys import KeyRing
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from tests.conftest import ROOT, Stack
from tests.documents import Block, check_answer, pair_commands, read_blocks, run_block

from .snippets import CONTENTS, NAMED, PLAIN, READ, VERIFIABLE, Snippet, count_fences, find_faults, read_snippets

SNIPPETS = read_snippets()
SHIPPED = (ROOT / "service" / "reward_gateway" / "rewards.yaml").read_text(encoding="utf-8")
RUN = [
    pytest.param(page.text, block, answer, id=f"{page.path}:{block.line}")
    for page in CONTENTS
    if not page.module and not page.file.startswith(VERIFIABLE)
    for block, answer in pair_commands(read_blocks(page.text))
]


def of_mark(*marks: str) -> list[object]:
    """The snippets with one of some marks, as parameters."""
    return [pytest.param(each, id=each.place) for each in SNIPPETS if each.mark in marks]


def test_every_snippet_says_how_it_is_checked() -> None:
    unknown = [each.place for each in SNIPPETS if each.block.mark not in PLAIN and each.mark not in NAMED]
    assert not unknown
    within_lists = [
        page.file for page in CONTENTS if not page.module and count_fences(page.text) != len(read_blocks(page.text))
    ]
    assert not within_lists, "a fence has to begin its line, and to name a language"


@pytest.mark.stack
@pytest.mark.parametrize(("text", "block", "answer"), RUN)
def test_a_command_runs_and_gives_its_answer(
    stack: Stack, tmp_path: Path, text: str, block: Block, answer: Block | None
) -> None:
    done = run_block(block, read_blocks(text), tmp_path, stack.http, stack.grpc)
    assert done.returncode == 0, done.stderr
    check_answer(done.stdout, answer)


@pytest.mark.parametrize("snippet", of_mark(*READ))
def test_a_file_is_read_without_a_fault(snippet: Snippet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file.yaml"
    text = snippet.block.text
    match snippet.mark:
        case "recipe":
            assert load_book(text).plans or yaml.safe_load(text)
        case "aliases":
            assert load_book(f"{SHIPPED}\n{text}\n").aliases
        case "upstreams":
            Tokenizer(WordLevel({"a": 0}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
            file.write_text(text, encoding="utf-8")
            assert load_upstreams(file)
        case "judges":
            file.write_text(text, encoding="utf-8")
            assert load_judges(file)
        case "keys":
            file.write_text(text, encoding="utf-8")
            file.chmod(0o600)
            assert KeyRing.load(file).required


@pytest.mark.parametrize("snippet", of_mark("elsewhere"))
def test_a_command_for_elsewhere_names_what_exists(snippet: Snippet) -> None:
    assert not list(find_faults(snippet.block.text))


@pytest.mark.parametrize("snippet", of_mark("file"))
def test_a_file_of_an_example_is_well_formed(snippet: Snippet) -> None:
    text = snippet.block.text
    match snippet.block.language:
        case "json":
            assert (
                [json.loads(line) for line in text.splitlines()]
                if snippet.block.mark.endswith("jsonl")
                else json.loads(text)
            )
        case "yaml":
            assert yaml.safe_load(text)
        case "python":
            compile(text, snippet.place, "exec")


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("reward-gateway serve --http-port 9000 --rewards-file my.yaml", None),
        ("reward-gateway serv", "no command 'serv'"),
        ("reward-gateway models build --al", "build has no option --al"),
        ("make serve ARGS='--http-port 9000'", None),
        ("cd x && make severs", "no target 'severs'"),
        ("kubectl apply -f deploy/nothing.yaml", "there is no deploy/nothing.yaml"),
        ("helm install reward-gateway deploy/helm/reward-gateway \\\n  --set a=b", None),
    ],
)
def test_faults_of_commands_are_found(script: str, fault: str | None) -> None:
    found = list(find_faults(script))
    assert found == [] if fault is None else fault in found[0]
