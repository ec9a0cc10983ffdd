"""``evaluate PAIRS``: preferences of a file, scored by a running service, as a report to read and a number to go by."""

import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
from pyarrow import parquet
from reward_gateway.cli.evaluate import MOST
from reward_gateway.lab import page
from reward_gateway.lab.layouts import LAYOUTS
from reward_gateway.lab.report import report_schema

from tests.client.conftest import Service, serving
from tests.lab.rows import ROWS

Run = Callable[..., Any]

RECIPES = """
rewards:
  brief:
    components:
      brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.5}}
  long:
    components:
      length: {score: length_penalty, params: {free_words: 0, per_word: 0.5}, transforms: [{affine: {scale: -1.0}}]}
  grouped:
    components:
      brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.5}}
    group: {baseline: mean}
  exact:
    components:
      right: {score: exact_match}
default: brief
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    yield from serving(RECIPES)


PAIRS = [
    {
        "prompt": f"p{i}",
        "chosen": "w " * (1 + i % 3),
        "rejected": "w " * (1 + (i * 7) % 5),
        "subset": "odd" if i % 2 else "even",
    }
    for i in range(60)
]
OUTCOMES = [1.0 if i % 3 < (i * 7) % 5 else 0.5 if i % 3 == (i * 7) % 5 else 0.0 for i in range(60)]


def write(name: str, rows: list[dict[str, Any]]) -> Path:
    path = Path(name)
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
            writer.writeheader()
            for row in rows:
                writer.writerow({k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()})
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_report(folder: str = "pairs.evaluation") -> Any:
    report = json.loads(Path(folder, "report.json").read_text())
    jsonschema.validate(report, report_schema())
    return report


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_reward_is_measured_on_pairs(run: Run, service: Any, suffix: str) -> None:
    write(f"pairs{suffix}", PAIRS)
    ended = run("evaluate", f"pairs{suffix}", "--reward", "brief", "--url", service.url, "--batch", 16)

    assert ended.code == 0, ended.err
    report = read_report()
    (reward,) = report["rewards"]
    assert (reward["name"], reward["samples"], reward["invalid"]) == ("brief", 120, 0)
    assert reward["accuracy"]["value"] == pytest.approx(sum(OUTCOMES) / 60)
    assert reward["accuracy"]["ties"] == OUTCOMES.count(0.5)
    assert {part["name"]: part["accuracy"]["value"] for part in reward["subsets"]} == {
        "even": pytest.approx(sum(OUTCOMES[::2]) / 30),
        "odd": pytest.approx(sum(OUTCOMES[1::2]) / 30),
    }
    assert report["measured"]["layout"] == "pairs"
    assert report["difference"] is None
    assert f"{sum(OUTCOMES) / 60:.1%}" in ended.out
    assert "accuracy by subset" in ended.out
    assert Path("pairs.evaluation/report.html").read_text().startswith("<!doctype html>")
    assert sum(path == "/v1/score" for path, _ in service.requests) == 8, "120 samples, 16 at a time"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_every_layout_is_read_as_it_is_published(run: Run, service: Any, layout: str, suffix: str) -> None:
    write(f"set{suffix}", ROWS[layout])
    ended = run("evaluate", f"set{suffix}", "--reward", "brief", "--url", service.url, "--json")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert report == read_report("set.evaluation")
    assert (report["measured"]["layout"], report["measured"]["rows"]) == (layout, len(ROWS[layout]))
    assert report["rewards"][0]["invalid"] == 0
    assert (report["rewards"][0]["matrix"] is not None) is (layout == "rm-bench")
    assert (report["rewards"][0]["ties_subset"] is not None) is (layout == "rewardbench2")

    shown = run("evaluate", f"set{suffix}", "--reward", "brief", "--reward", "long", "--url", service.url)
    assert shown.code == 0, shown.err
    said = " ".join(shown.out.split())
    assert f"rows of layout {layout}" in said
    assert ("brief: accuracy by style" in said) is (layout == "rm-bench")
    assert ("long, subset Ties by its rule" in said) is (layout == "rewardbench2")
    assert ("1 of 3 rows without a preference" in said) is (layout in ("helpsteer2", "best-of-k"))


def test_two_rewards_are_compared(run: Run, service: Any) -> None:
    write("pairs.jsonl", PAIRS)
    ended = run("evaluate", "pairs.jsonl", "--reward", "brief", "--reward", "long", "--url", service.url)

    assert ended.code == 0, ended.err
    report = read_report()
    ties, right = OUTCOMES.count(0.5), OUTCOMES.count(1.0)
    difference = report["difference"]
    assert [reward["name"] for reward in report["rewards"]] == ["brief", "long"]
    assert difference["difference"]["value"] == pytest.approx((right - (60 - right - ties)) / 60)
    assert (difference["mcnemar"]["a_better"], difference["mcnemar"]["b_better"]) == (right, 60 - right - ties)
    assert len(difference["flips"]) == 60 - ties
    assert difference["agreement"]["value"] == pytest.approx(ties / 60)
    flip = difference["flips"][0]
    row = PAIRS[flip["row"] - 1]
    assert flip["b"]["chosen"] == pytest.approx(len(row["chosen"].split()) / 2)
    for said in ("brief less long", "McNemar, exact", "Cohen's kappa"):
        assert said in ended.out


def test_a_service_is_asked_over_grpc_too(run: Run, service: Any) -> None:
    write("pairs.jsonl", PAIRS)
    ended = run("evaluate", "pairs.jsonl", "--reward", "brief", "--url", service.grpc_url)
    assert ended.code == 0, ended.err
    assert read_report()["rewards"][0]["accuracy"]["value"] == pytest.approx(sum(OUTCOMES) / 60)
    assert read_report()["measured"]["service"] == service.grpc_url


def test_a_tie_is_half_right_or_wrong(run: Run, service: Any) -> None:
    write("pairs.jsonl", [{"prompt": "p", "chosen": "a b", "rejected": "c d"}] * 3)
    for ties, value in (("half", 0.5), ("wrong", 0.0)):
        run("evaluate", "pairs.jsonl", "--reward", "brief", "--url", service.url, "--ties", ties)
        (reward,) = read_report()["rewards"]
        assert (reward["accuracy"]["value"], reward["accuracy"]["ties"]) == (value, 3)
        assert (reward["accuracy"]["prompts"], reward["accuracy"]["interval"]) == (1, "bootstrap")


def test_samples_without_a_score_are_left_out_and_counted(run: Run, service: Any) -> None:
    rows = [
        {"prompt": "p0", "chosen": "a", "rejected": "b c"},
        {"prompt": "p1", "chosen": "x" * 1001, "rejected": "b"},
        {"prompt": "p2", "chosen": "a b c", "rejected": "b c"},
    ]
    write("pairs.jsonl", rows)
    ended = run("evaluate", "pairs.jsonl", "--reward", "brief", "--url", service.url)
    (reward,) = read_report()["rewards"]
    assert (reward["invalid"], reward["reasons"], reward["excluded"]) == (1, {"too_large": 1}, 1)
    assert (reward["accuracy"]["n"], reward["accuracy"]["value"]) == (2, 0.5)
    assert "1 of 6 samples without a score (1 too_large)" in " ".join(ended.out.split())


def test_a_recipe_that_compares_samples_is_measured_before_the_comparison(run: Run, service: Any) -> None:
    write("set.jsonl", [{"prompt": "p", "responses": ["a", "b c", "d e f"], "best": 0}] * 5)
    both = ["--reward", "brief", "--reward", "grouped"]
    ended = run("evaluate", "set.jsonl", *both, "--url", service.url, "--batch", 4)
    assert ended.code == 0, ended.err
    plain, grouped = read_report("set.evaluation")["rewards"]
    assert grouped["distribution"] == plain["distribution"]
    assert plain["distribution"]["chosen"]["mean"] == 0.0
    assert plain["distribution"]["rejected"]["mean"] == -0.75


def test_the_ground_truth_of_a_row_is_that_of_all_its_responses(run: Run, service: Any) -> None:
    write("pairs.jsonl", [{"prompt": "2 + 2?", "chosen": "4", "rejected": "5", "reference": "4"}])
    ended = run("evaluate", "pairs.jsonl", "--reward", "exact", "--url", service.url)
    assert ended.code == 0, ended.err
    assert read_report()["rewards"][0]["accuracy"]["value"] == 1.0


def test_a_reward_that_is_not_accurate_enough_ends_with_1(run: Run, service: Any) -> None:
    write("pairs.jsonl", [{"prompt": f"p{i}", "chosen": "a", "rejected": "b c"} for i in range(30)])
    arguments = ["evaluate", "pairs.jsonl", "--reward", "brief", "--url", service.url, "--min-accuracy"]
    low = 1 / (1 + 1.959963984540054**2 / 30)  # Wilson's lower end where all 30 are right
    assert run(*arguments, low - 0.001).code == 0
    ended = run(*arguments, low + 0.001)
    assert ended.code == 1
    assert f"brief: the 95 % interval begins at {low:.4f}, below --min-accuracy" in ended.err
    assert read_report()["measured"]["min_accuracy"] == low + 0.001


def test_nothing_that_can_be_compared_ends_with_1(run: Run, service: Any) -> None:
    write("pairs.jsonl", [{"prompt": "p", "chosen": "x" * 1001, "rejected": "b"}])
    ended = run("evaluate", "pairs.jsonl", "--reward", "brief", "--url", service.url)
    assert ended.code == 1
    assert "no comparison has all its scores: 1 of 2 samples without a score (1 too_large)" in ended.err


def test_of_nothing_but_the_subset_ties_its_score_is_judged(run: Run, service: Any) -> None:
    rows = [
        {**ROWS["rewardbench2"][1], "id": f"{kind}:{k}", "chosen": ["a"] * right, "rejected": ["b c"]}
        | {"num_correct": right, "total_completions": right + 1}
        for k in range(5)
        for kind, right in (("ref", 1), ("tied", 2))
    ]
    write("ties.jsonl", rows)
    arguments = ["evaluate", "ties.jsonl", "--reward", "brief", "--url", service.url]
    assert run(*arguments, "--min-accuracy", 0.9).code == 0
    (reward,) = read_report("ties.evaluation")["rewards"]
    assert reward["ties_subset"]["score"]["value"] == pytest.approx(0.3 + 0.3 + 0.2 + 0.2 + 0.01)
    assert (reward["accuracy"]["n"], reward["accuracy"]["value"]) == (0, None)


def test_a_run_that_was_killed_goes_on_where_it_ended(service: Any, tmp_path: Path) -> None:
    rows = [{"prompt": f"p{i}", "chosen": "w", "rejected": "w " * (i % 7)} for i in range(1200)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "reward_gateway.cli.main", "evaluate", "pairs.jsonl", "--url", service.url]
    command += ["--reward", "brief", "--batch", "8", "--concurrency", "2"]
    first = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    while sum(path == "/v1/score" for path, _ in service.requests) < 40:
        assert first.poll() is None
        time.sleep(0.01)
    first.kill()
    first.wait()
    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    assert len(service.requests) < 2400 / 8 + 20, "nothing but what was under way is asked for twice"
    assert json.loads((tmp_path / "pairs.evaluation/report.json").read_text())["rewards"][0]["samples"] == 2400


def test_a_finished_run_is_reported_again_without_asking(run: Run, service: Any) -> None:
    write("pairs.jsonl", PAIRS)
    arguments = ["evaluate", "pairs.jsonl", "--reward", "brief", "--url", service.url]
    run(*arguments)
    service.requests.clear()
    ended = run(*arguments, "--ties", "wrong")
    assert ended.code == 0, ended.err
    assert {path for path, _ in service.requests} == {"/v1/rewards"}
    assert read_report()["measured"]["ties"] == "wrong"
    ended = run(*arguments, "--reward", "long")
    assert ended.code == 0, "a second reward is added to the first"
    assert read_report()["difference"]["n"] == 60


def test_what_was_begun_with_something_else_is_refused(run: Run, service: Any) -> None:
    write("pairs.jsonl", PAIRS)
    arguments = ["evaluate", "pairs.jsonl", "--url", service.url]
    run(*arguments, "--reward", "brief")
    before = Path("pairs.evaluation/report.json").read_bytes()
    other = run(*arguments, "--reward", "long")
    moved = run("evaluate", "pairs.jsonl", "--url", service.url.replace("127.0.0.1", "localhost"), "--reward", "brief")
    write("pairs.jsonl", PAIRS[1:])
    changed = run(*arguments, "--reward", "brief")
    assert (other.code, moved.code, changed.code) == (2, 2, 2)
    assert "begun with the recipe brief, and now it is long" in other.err
    assert "begun with the service" in moved.err
    assert "line 1 is not of pairs.jsonl as it is read now" in changed.err
    assert all("--out" in ended.err for ended in (other, moved, changed))
    assert Path("pairs.evaluation/report.json").read_bytes() == before


GOOD = '{"prompt": "p", "chosen": "a", "rejected": "b"}\n'


@pytest.mark.parametrize(
    ("name", "content", "more", "said"),
    [
        ("none.jsonl", None, [], "there is no file none.jsonl"),
        ("pairs.txt", GOOD, [], "must end in"),
        ("pairs.jsonl", "", [], "has no rows"),
        ("pairs.jsonl", '{"prompt": "p", "text": "a"}\n', [], "pairs: missing chosen, rejected"),
        ("pairs.jsonl", '{"prompt": "p", "text": "a"}\n', [], "judgebench: missing question"),
        ("pairs.jsonl", GOOD + '\n{"prompt": "p", "rejected": "b"}\n', [], "pairs.jsonl, line 3: chosen is missing"),
        ("pairs.csv", 'prompt,chosen,rejected\n"p\nq",a,b\np,,b\n', [], "pairs.csv, line 4: chosen is missing"),
        ("pairs.jsonl", GOOD + "[1]\n", [], "line 2: not a JSON object"),
        ("pairs.jsonl", GOOD, ["--layout", "judgebnch"], "did you mean 'judgebench'?"),
        ("pairs.jsonl", GOOD, ["--layout", "hh"], "line 1: chosen must be a dialogue"),
        ("pairs.jsonl", GOOD, ["--reward", "brief"], "--reward names brief twice"),
        ("pairs.jsonl", GOOD, ["--reward", "long", "--reward", "grouped"], "two to compare, not 3"),
        ("pairs.jsonl", GOOD, ["--out", "nowhere/report"], "cannot be written to (No such file or directory)"),
        ("pairs.jsonl", GOOD, ["--out", "pairs.jsonl"], "cannot be written to (File exists)"),
    ],
)
def test_what_cannot_be_measured_is_said_before_anything_is_asked(
    run: Run, service: Any, name: str, content: str | None, more: list[str], said: str
) -> None:
    if content is not None:
        Path(name).write_text(content)
    ended = run("evaluate", name, "--reward", "brief", "--url", service.url, *more)
    assert ended.code == 2
    assert said in " ".join(ended.err.split())
    assert "Traceback" not in ended.err
    assert service.requests == []
    assert not list(Path.cwd().glob("*.evaluation"))


def test_an_unknown_reward_is_told_before_the_first_is_scored_and_leaves_nothing(run: Run, service: Any) -> None:
    write("pairs.jsonl", PAIRS)
    ended = run("evaluate", "pairs.jsonl", "--reward", "brief", "--reward", "lnog", "--url", service.url)
    assert ended.code == 3
    assert "there is no reward 'lnog'; did you mean 'long'?" in ended.err
    assert {path for path, _ in service.requests} == {"/v1/rewards"}
    assert not Path("pairs.evaluation").exists()


def test_the_schema_is_printed_and_shipped(run: Run) -> None:
    printed = run("evaluate", "--schema").out
    assert json.loads(printed) == report_schema()
    shipped = Path(page.__file__).parents[1] / "evaluation.schema.json"
    assert shipped.read_text() == printed, "run: reward-gateway evaluate --schema > evaluation.schema.json"
    jsonschema.Draft202012Validator.check_schema(report_schema())


def test_the_help_names_every_layout(run: Run) -> None:
    assert MOST == 2
    said = " ".join(run("evaluate", "--help").out.split())
    assert all(name in said for name in LAYOUTS)
