"""``redteam``: attacks against the recipes of a running service."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from reward_gateway.cli.redteam import name_run
from reward_gateway.lab import page

from tests.cli.conftest import Run
from tests.client.conftest import Service, serving

PAGES = Path(page.__file__).parent

RECIPES = """
rewards:
  math: {components: {correct: {score: math_equivalence}}}
  long:
    components:
      words: {score: length_penalty, params: {free_words: 0, per_word: 1}, transforms: [{affine: {scale: -1}}]}
  grouped:
    components:
      correct: {score: math_equivalence}
      tags: {score: format_tags}
    combine: {weighted_sum: {weights: {correct: 1.0, tags: 0.1}}}
    group: {normalize: zscore}
  guarded:
    components:
      words: {score: length_penalty, params: {free_words: 0, per_word: 1}, transforms: [{affine: {scale: -1}}]}
    guards: [{repetition: {action: invalid, share: 0.4, min_words: 4}}]
  process:
    components:
      steps: {score: given_steps, inputs: {values: {feature: steps}}, transforms: [{aggregate: {how: min}}]}
default: math
"""

PAIRS: list[dict[str, Any]] = [
    {
        "prompt": f"What is {i} + 2?",
        "chosen": f"It is {i} plus two. The answer is {i + 2}.",
        "rejected": f"{i + 3}",
        "reference": i + 2,
    }
    for i in range(80)
]


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    yield from serving(RECIPES)


def write_lines(name: str, rows: list[dict[str, Any]]) -> str:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


def read_report(folder: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(Path(folder, "report.json").read_text())
    return report


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {attack["id"]: attack["verdict"] for attack in report["attacks"]}


def test_a_rule_holds_against_the_built_in_attacks_on_the_built_in_pairs(run: Run, service: Any) -> None:
    ended = run("redteam", "--reward", "math", "--url", service.url)
    assert ended.code == 0, ended.err
    report = read_report("math.redteam")
    assert report["traits"] == ["reference"]
    assert report["tested"]["file"] is None
    assert report["tested"]["pairs"] == 100
    assert report["clean"]["ordered"]["count"] == report["clean"]["ordered"]["of"] == 80
    assert report["clean"]["unscored"] == {"missing_field": 20}
    assert (report["clean"]["binary"], report["clean"]["delta"], report["clean"]["std"]) == (True, 0.0, 0.5)
    found = verdicts(report)
    assert found["injection.section"] == found["sycophancy.flattery"] == "not applicable"
    assert found["echo.answer"] is None
    longer = {attack["id"] for attack in report["attacks"] if "too_large" in attack["unscored"]}  # than it takes here
    read = {name: verdict for name, verdict in found.items() if verdict != "not applicable" and name not in longer}
    assert {*read} >= {"master_key.empty", "padding.blank", "repetition.twice", "echo.alone", "abstention.unknown"}
    assert {name: verdict for name, verdict in read.items() if verdict != "holds"} == {"echo.answer": None}


def test_a_reward_of_length_falls_to_padding_and_repetition(run: Run, service: Any) -> None:
    pairs = write_lines("pairs.jsonl", PAIRS)
    attacks = [arg for name in ("length_padding", "repetition.phrase", "master_key") for arg in ("--attack", name)]
    ended = run("redteam", pairs, "--reward", "long", "--url", service.url, *attacks)
    assert ended.code == 1
    assert "long falls to padding.before, padding.prompt, repetition.phrase" in ended.err
    report = read_report("long.redteam")
    assert report["verdict"] == "falls"
    found = verdicts(report)
    assert found["padding.blank"] == found["master_key.04"] == "holds"
    assert found["repetition.phrase"] == "falls"
    (phrase,) = [attack for attack in report["attacks"] if attack["id"] == "repetition.phrase"]
    assert (phrase["wins"]["count"], phrase["wins"]["of"], phrase["raised"]["count"]) == (80, 80, 80)
    clean = [len(row[which].split()) for row in PAIRS for which in ("chosen", "rejected")]
    std = (sum(n * n for n in clean) / 160 - (sum(clean) / 160) ** 2) ** 0.5
    assert report["clean"]["std"] == pytest.approx(std)
    assert report["clean"]["delta"] == pytest.approx(std / 100)
    assert phrase["rise"]["value"] == pytest.approx(150 / std)
    assert len(phrase["worst"]) == 5
    assert phrase["worst"][0]["attacked"].startswith(phrase["worst"][0]["rejected"] + " This is important.")
    assert f"repetition.phrase\tfalls\t80/80 [95.4%, 100.0%]\t100.0% [95.4%, 100.0%]\t+{150 / std:.2f}" in ended.out


def test_responses_above_the_limit_of_the_service_are_left_out_and_counted(run: Run, service: Any) -> None:
    pairs = write_lines("pairs.jsonl", PAIRS[:5])
    ended = run("redteam", pairs, "--reward", "long", "--url", service.url, "--attack", "padding.after")
    assert ended.code == 0, ended.err
    (attack,) = read_report("long.redteam")["attacks"]
    assert (attack["unscored"], attack["verdict"]) == ({"too_large": 5}, "unclear")


def test_a_recipe_that_compares_is_attacked_before_the_comparison(run: Run, service: Any) -> None:
    pairs = write_lines("pairs.jsonl", PAIRS)
    ended = run("redteam", pairs, "--reward", "grouped", "--url", service.url, "--attack", "format.tags")
    assert ended.code == 0, ended.err
    report = read_report("grouped.redteam")
    (attack,) = report["attacks"]
    assert report["traits"] == ["format", "reference"]
    assert attack["worst"][0]["attacked_reward"] == pytest.approx(0.1)
    assert (attack["raised"]["count"], attack["wins"]["count"], attack["verdict"]) == (80, 0, "holds")
    rows = [json.loads(line) for line in Path("grouped.redteam/scores.jsonl").read_text().splitlines()]
    assert [row["role"] for row in rows[:2] + rows[-2:]] == ["chosen", "rejected", "chosen", "attacked"]


def test_what_a_guard_refuses_does_not_win(run: Run, service: Any) -> None:
    pairs = write_lines("pairs.jsonl", PAIRS)
    ended = run("redteam", pairs, "--reward", "guarded", "--url", service.url, "--attack", "repetition.phrase")
    assert ended.code == 0, ended.err
    (attack,) = read_report("guarded.redteam")["attacks"]
    assert (attack["refused"], attack["wins"]["of"], attack["wins"]["count"], attack["verdict"]) == (80, 80, 0, "holds")
    assert attack["rise"]["value"] is None


def test_a_run_goes_on_where_it_ended_and_another_recipe_is_refused(run: Run, service: Any) -> None:
    pairs = write_lines("pairs.jsonl", PAIRS)
    command = ["redteam", pairs, "--url", service.url, "--attack", "repetition", "--out", "out", "--batch", 16]
    run(*command, "--reward", "math")
    whole = Path("out/scores.jsonl").read_text().splitlines(keepends=True)
    asked = len(service.requests)
    Path("out/scores.jsonl").write_text("".join(whole[:300]))
    assert run(*command, "--reward", "math").code == 0
    assert len(service.requests) - asked < 15
    assert Path("out/scores.jsonl").read_text() == "".join(whole)
    ended = run(*command, "--reward", "long")
    assert ended.code == 2
    assert "out/scores.jsonl was begun with the recipe math, and now it is long" in ended.err


def test_layouts_are_those_of_evaluate(run: Run, service: Any) -> None:
    with Path("pairs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(PAIRS[0]))
        writer.writeheader()
        writer.writerows(PAIRS)
    ended = run("redteam", "pairs.csv", "--reward", "math", "--url", service.url, "--attack", "echo", "--json")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert (report["tested"]["layout"], report["tested"]["file"], report["tested"]["rows"]) == (
        "pairs",
        "pairs.csv",
        80,
    )
    assert report["clean"]["ordered"]["count"] == 80
    lists = [
        {"prompt": row["prompt"], "responses": [row["rejected"], row["chosen"], "none"], "best": 1} for row in PAIRS[:4]
    ]
    ended = run(
        "redteam", write_lines("k.jsonl", lists), "--reward", "long", "--url", service.url, "--out", "k", "--json"
    )
    assert json.loads(ended.out)["tested"]["pairs"] == 8


def test_the_report_is_of_its_published_schema(run: Run, service: Any) -> None:
    printed = run("redteam", "--schema").out
    shipped = PAGES.with_name("redteam.schema.json")
    assert shipped.read_text() == printed, "run: reward-gateway redteam --schema > redteam.schema.json"
    schema = json.loads(printed)
    pairs = write_lines("pairs.jsonl", PAIRS[:10])
    for reward in ("math", "long"):
        run("redteam", pairs, "--reward", reward, "--url", service.url)
        jsonschema.Draft202012Validator(schema).validate(read_report(f"{reward}.redteam"))
        assert f"Attacks on {reward}" in Path(f"{reward}.redteam/report.html").read_text()


def test_max_wins_decides(run: Run, service: Any) -> None:
    pairs = write_lines("pairs.jsonl", PAIRS[:10])
    command = ["redteam", pairs, "--reward", "math", "--url", service.url, "--attack", "repetition.twice"]
    assert run(*command).code == 0
    assert verdicts(read_report("math.redteam")) == {"repetition.twice": "unclear"}
    assert run(*command, "--max-wins", 0.3).code == 0
    assert verdicts(read_report("math.redteam")) == {"repetition.twice": "holds"}
    assert run(*command, "--max-wins", 5).code == 2


def test_a_recipe_without_a_reward_for_the_pairs_is_a_fault(run: Run, service: Any) -> None:
    pairs = write_lines("pairs.jsonl", [{**pair, "reference": None} for pair in PAIRS])
    ended = run("redteam", pairs, "--reward", "math", "--url", service.url, "--attack", "padding.blank")
    assert ended.code == 1
    assert "math: no pair has a reward for both of its responses: missing_field (80 pairs)" in ended.err
    assert verdicts(read_report("math.redteam")) == {"padding.blank": "unclear"}


def test_samples_belong_to_a_run_of_their_own(run: Run, service: Any) -> None:
    assert [name_run(url) for url in (None, "http://host", "grpc://host/run/mine")] == ["redteam", "redteam", None]
    ended = run("redteam", "--reward", "math", "--url", f"{service.grpc_url}/run/mine")
    assert ended.code == 2
    assert "name the running service with --url http://HOST:PORT, not grpc://" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--reward", "mth"], 3, "did you mean 'math'"),
        (["--reward", "process"], 2, "process reads no response, so that there is nothing to attack"),
        (["--reward", "math", "--attack", "paddin"], 2, "no attack and no class of attacks 'paddin'"),
        (["none.jsonl", "--reward", "math"], 2, "there is no file none.jsonl"),
        ([], 2, "--reward"),
    ],
)
def test_what_cannot_be_attacked_is_told(run: Run, service: Any, arguments: list[str], code: int, said: str) -> None:
    ended = run("redteam", *arguments, "--url", service.url)
    assert ended.code == code
    assert said in ended.err
    assert not [*Path.cwd().glob("*.redteam")]
