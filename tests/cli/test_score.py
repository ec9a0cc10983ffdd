"""``score FILE``: the same format out with the rewards beside, resumed where it ended, summed up in a histogram."""

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from reward_gateway.cli.output import Unusable
from reward_gateway.cli.run_record import RunRecord
from reward_gateway.cli.scoring import FileRun

Run = Callable[..., Any]

ROWS = [{"prompt": f"p{i}", "response": "w " * (i % 7), "note": i} for i in range(100)]
EXPECTED = [-0.5 * max(i % 7 - 1, 0) for i in range(100)]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path, row_group_size=30)
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
        return rows
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return list(csv.DictReader(file))
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".csv"])
def test_the_output_is_the_file_with_rewards_beside_its_rows(run: Run, service: Any, suffix: str) -> None:
    write(Path(f"data{suffix}"), ROWS)
    ended = run("score", f"data{suffix}", "--url", service.url, "--batch", 16)

    assert ended.code == 0, ended.err
    rows = read(Path(f"data.scored{suffix}"))
    assert list(rows[0]) == [*ROWS[0], "reward", "valid", "error", "component.brevity", "component.brevity.raw"]
    assert [float(row["reward"]) for row in rows] == EXPECTED
    assert [row["prompt"] for row in rows] == [row["prompt"] for row in ROWS]
    assert [str(row["note"]) for row in rows] == [str(i) for i in range(100)]
    assert {str(row["valid"]).lower() for row in rows} == {"true"}
    assert not list(Path.cwd().glob("*.parts"))
    assert "brief: 100 rewards, 0 samples without one" in ended.out
    assert "█" in ended.out
    assert sum(path == "/v1/score" for path, _ in service.requests) == 1 + 7  # the reward's name, then 100 rows by 16


def test_rendered_texts_are_read_back_where_the_command_says_so(run: Run, service: Any) -> None:
    write(Path("data.jsonl"), [{"prompt": "<|im_start|>user\np<|im_end|>\n", "response": "w w <|im_end|>"}])
    for out, more, reward in (("a.jsonl", [], -1.0), ("b.jsonl", ["--chat-format", "auto"], -0.5)):
        ended = run("score", "data.jsonl", "--url", service.url, "--out", out, *more)
        assert ended.code == 0, ended.err
        assert [row["reward"] for row in read(Path(out))] == [reward]
    assert "chat_format" in run("score", "data.jsonl", "--url", service.url, "--chat-format", "esperanto").err


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".csv"])
def test_a_run_that_was_killed_goes_on_where_it_ended(service: Any, tmp_path: Path, suffix: str) -> None:
    rows = [{"prompt": "p", "response": "w " * (i % 7)} for i in range(2400)]
    write(tmp_path / f"data{suffix}", rows)
    command = [sys.executable, "-m", "reward_gateway.cli.main", "score", f"data{suffix}", "--url", service.url]
    command += ["--batch", "8", "--concurrency", "2"]
    first = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    while sum(path == "/v1/score" for path, _ in service.requests) < 40:
        assert first.poll() is None
        time.sleep(0.01)
    first.kill()
    first.wait()
    asked = len(service.requests)
    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert second.returncode == 0, second.stderr
    assert asked > 40
    assert len(service.requests) < 2400 / 8 + 20  # nothing but what was under way is asked for twice
    scored = read(tmp_path / f"data.scored{suffix}")
    assert [float(row["reward"]) for row in scored] == [-0.5 * max(i % 7 - 1, 0) for i in range(2400)]
    assert "2,400 rewards" in second.stdout


def test_a_line_that_was_cut_off_is_written_anew(run: Run, service: Any) -> None:
    write(Path("data.jsonl"), ROWS)
    run("score", "data.jsonl", "--url", service.url)
    whole = Path("data.scored.jsonl").read_text()
    Path("data.scored.jsonl").write_text(whole[: len(whole) // 2])
    ended = run("score", "data.jsonl", "--url", service.url)

    assert ended.code == 0
    assert Path("data.scored.jsonl").read_text() == whole


@pytest.mark.parametrize(
    ("out", "said"),
    [("none/out.jsonl", "none cannot be written to (No such file or directory)"), ("taken.jsonl", "is a folder")],
)
def test_an_output_that_cannot_be_written_is_told_before_anything_is_asked(
    run: Run, service: Any, out: str, said: str
) -> None:
    write(Path("data.jsonl"), ROWS)
    Path("taken.jsonl").mkdir()
    ended = run("score", "data.jsonl", "--url", service.url, "--out", out)
    assert ended.code == 2
    assert said in ended.err
    assert "--out" in ended.err
    assert service.requests == []


def test_a_disk_that_is_full_ends_the_run_with_a_sentence(
    run: Run, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write(Path("data.jsonl"), ROWS)
    monkeypatch.setattr(RunRecord, "save", fail)
    ended = run("score", "data.jsonl", "--url", service.url)
    assert ended.code == 2
    assert "data.scored.jsonl cannot be written to (No space left on device)" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "url", ["http://", "grpc://", "http://host:99999", "http://host:port", "http://[::1", "http://:80"]
)
def test_an_address_that_names_no_host_or_port_is_told_at_once(run: Run, url: str) -> None:
    write(Path("data.jsonl"), ROWS)
    ended = run("score", "data.jsonl", "--url", url)
    assert ended.code == 2
    assert "must name a host, and a port up to 65535" in " ".join(ended.err.split())


def test_a_finished_run_asks_for_nothing(run: Run, service: Any) -> None:
    write(Path("data.jsonl"), ROWS)
    run("score", "data.jsonl", "--url", service.url, "--reward", "brief")
    service.requests.clear()
    ended = run("score", "data.jsonl", "--url", service.url, "--reward", "brief")

    assert ended.code == 0
    assert "100 rewards" in ended.out
    assert [path for path, _ in service.requests] == ["/v1/rewards"]


def test_rows_without_a_score_have_a_reason_and_their_neighbours_a_reward(run: Run, service: Any) -> None:
    rows: list[dict[str, Any]] = [
        {"response": "one"},
        {"response": None},
        {"response": "x" * 1001},
        {"response": 7},
        {"response": "one two"},
    ]
    write(Path("data.jsonl"), rows)
    ended = run("score", "data.jsonl", "--url", service.url)
    scored = read(Path("data.scored.jsonl"))

    assert ended.code == 0, ended.err
    assert [row["reward"] for row in scored] == [0.0, None, None, None, -0.5]
    assert [row["valid"] for row in scored] == [True, False, False, False, True]
    assert [row["error"] and row["error"].partition(":")[0] for row in scored] == [
        None,
        "missing_field",
        "too_large",
        "invalid_request",
        None,
    ]
    assert "2 rewards, 3 samples without one" in ended.out
    for code in ("missing_field", "too_large", "invalid_request"):
        assert f"1  {code}" in ended.out


def test_a_key_that_the_first_row_lacks_is_read_of_the_others(run: Run, service: Any) -> None:
    write(Path("data.jsonl"), [{"prompt": "p"}, {"id": "n1", "response": "one two"}, {"response": "one", "id": "n2"}])
    ended = run("score", "data.jsonl", "--url", service.url)
    scored = read(Path("data.scored.jsonl"))

    assert ended.code == 0, ended.err
    assert [(row["reward"], row["valid"]) for row in scored] == [(None, False), (-0.5, True), (0.0, True)]
    assert scored[0]["error"].startswith("missing_field")
    write(Path("taken.jsonl"), [{"response": "one"}, {"response": "two", "reward": 3}])
    assert "the file already has a column reward" in run("score", "taken.jsonl", "--url", service.url).err


def test_columns_are_mapped_and_names_kept_apart(run: Run, service: Any) -> None:
    write(Path("data.csv"), [{"question": "q", "answer": "one two", "reward": "mine"}])
    refused = run("score", "data.csv", "--url", service.url, "--response-column", "answer")
    arguments = ["--response-column", "answer", "--prompt-column", "question", "--prefix", "rg.", "--out", "out.csv"]
    ended = run("score", "data.csv", "--url", service.url, *arguments, "--no-components", "--reward", "shaped")

    assert refused.code == 2
    assert "--prefix" in refused.err
    assert ended.code == 0, ended.err
    assert read(Path("out.csv")) == [
        {"question": "q", "answer": "one two", "reward": "mine", "rg.reward": "0.5", "rg.valid": "true", "rg.error": ""}
    ]


def test_an_empty_file_gives_an_empty_one(run: Run, service: Any) -> None:
    Path("data.jsonl").touch()
    ended = run("score", "data.jsonl", "--url", service.url)

    assert ended.code == 0
    assert Path("data.scored.jsonl").read_text() == ""
    assert "0 rewards" in ended.out


@pytest.mark.parametrize(
    ("name", "content", "more", "said"),
    [
        ("data.txt", "", [], "must end in"),
        ("none.jsonl", None, [], "there is no file"),
        ("data.jsonl", '{"response": "r"}\n[1]\n', [], "line 2: not a JSON object"),
        ("data.jsonl", '{"text": "r"}\n', [], "--response-column"),
        ("data.jsonl", '{"response": "r"}\n', ["--prompt-column", "nothing"], "no column nothing"),
        ("data.jsonl", '{"response": "r"}\n', ["--out", "data.csv"], "must end in .jsonl"),
        ("data.jsonl", '{"response": "r"}\n', ["--out", "data.jsonl"], "would replace the input"),
        ("data.csv", "response,b\nr\n", [], "not as many fields"),
        ("data.parquet", "rubbish", [], "not a Parquet file"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    run: Run, service: Any, name: str, content: str | None, more: list[str], said: str
) -> None:
    if content is not None:
        Path(name).write_text(content)
    ended = run("score", name, "--url", service.url, *more)

    assert ended.code == 2
    assert said in ended.err.replace("\n", " ")
    assert "Traceback" not in ended.err


def test_an_output_of_another_file_is_left_alone(run: Run, service: Any) -> None:
    write(Path("data.jsonl"), ROWS)
    Path("data.scored.jsonl").write_text('{"prompt": "other", "response": "r"}\n')
    ended = run("score", "data.jsonl", "--url", service.url)

    assert ended.code == 2
    assert Path("data.scored.jsonl").read_text() == '{"prompt": "other", "response": "r"}\n'


def test_a_service_that_refuses_or_is_not_there_is_one_sentence(run: Run, service: Any) -> None:
    write(Path("data.jsonl"), ROWS)
    unknown = run("score", "data.jsonl", "--url", service.url, "--reward", "nothing")
    absent = run("score", "data.jsonl", "--url", "http://127.0.0.1:9", "--timeout", 0.3)

    assert unknown.code == absent.code == 3
    assert "brief, shaped" in unknown.err
    assert "cannot be reached" in absent.err


SUFFIXES = [".jsonl", ".parquet", ".csv"]


@pytest.fixture
def begun(run: Run, service: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Scores the first 16 rows of a file, as a run that is stopped then: the output, or its folder of parts, stays."""

    def begin(suffix: str) -> Path:
        data = write(Path(f"data{suffix}"), [{"prompt": "p", "response": "w w"}] * 64)
        batches = FileRun._read_batches

        def two(self: Any, grouped: bool) -> Any:
            yield from islice(batches(self, grouped), 2)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(FileRun, "_read_batches", two)
            stopped = run("score", data, "--url", service.url, "--batch", 8, "--concurrency", 1, "--reward", "brief")
        assert stopped.code == 130
        assert "stopped after 16 rows; run the same command again" in stopped.err.replace("\n", " ")
        return data

    return begin


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--reward", "shaped"], "the recipe brief, and now it is shaped"),
        (["--prefix", "x."], "the option prefix"),
        (["--chat-format", "auto"], "the option chat_format"),
        (["--no-components"], "the option components"),
        (["--response-column", "prompt"], "the option columns"),
        (["--run", "another"], "the option run"),
    ],
)
def test_an_output_that_was_begun_otherwise_is_refused(
    run: Run, service: Any, begun: Callable[[str], Path], suffix: str, more: list[str], said: str
) -> None:
    data = begun(suffix)
    refused = run(
        "score", data, "--url", service.url, "--batch", 8, *more, *([] if "--reward" in more else ["--reward", "brief"])
    )
    assert refused.code == 2
    assert f"was begun with {said}" in refused.err
    ended = run("score", data, "--url", service.url, "--batch", 8, "--reward", "brief")
    assert ended.code == 0, ended.err
    assert {float(row["reward"]) for row in read(Path(f"data.scored{suffix}"))} == {-0.5}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("name", "old", "said"),
    [
        ("service", "http://elsewhere:8080", "the service http://elsewhere:8080, and now it is http://127.0.0.1"),
        ("recipe_version", "b3:other", "the recipe's version b3:other"),
        ("models", {"brevity": "m 1-old"}, None),
    ],
)
def test_an_output_of_another_service_or_recipe_version_is_refused(
    run: Run, service: Any, begun: Callable[[str], Path], suffix: str, name: str, old: Any, said: str | None
) -> None:
    data = begun(suffix)
    record = Path(f"data.scored{suffix}.run.json")
    facts = json.loads(record.read_text())
    record.write_text(json.dumps({**facts, name: old}))
    ended = run("score", data, "--url", service.url, "--reward", "brief")
    assert ended.code == (0 if said is None else 2), "a rule has no model whose version could be another"
    if said is not None:
        assert f"was begun with {said}" in ended.err


def test_the_record_says_what_gave_the_rewards(run: Run, service: Any) -> None:
    write(Path("data.jsonl"), ROWS)
    run("score", "data.jsonl", "--url", service.url.replace("http://", "http://user:secret@"))
    record = json.loads(Path("data.scored.jsonl.run.json").read_text())
    assert (record["service"], record["reward"], record["models"]) == (service.url, "brief", {})
    assert record["recipe_version"].startswith("b3:")
    assert record["options"]["columns"] == {"prompt": "prompt", "response": "response"}


def test_rewards_of_which_nothing_is_known_are_not_added_to(
    run: Run, service: Any, begun: Callable[[str], Path]
) -> None:
    data = begun(".jsonl")
    Path("data.scored.jsonl.run.json").unlink()
    refused = run("score", data, "--url", service.url)
    assert refused.code == 2
    assert "data.scored.jsonl.run.json" in refused.err


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_run_that_scored_nothing_leaves_nothing_behind(run: Run, service: Any, suffix: str) -> None:
    write(Path(f"data{suffix}"), ROWS)
    absent = run("score", f"data{suffix}", "--url", "http://127.0.0.1:9", "--timeout", 0.3)
    unknown = run("score", f"data{suffix}", "--url", service.url, "--reward", "nothing")
    assert absent.code == unknown.code == 3
    assert [path.name for path in Path.cwd().iterdir()] == [f"data{suffix}"]


def test_a_signal_before_the_first_row_says_so(run: Run, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write(Path("data.csv"), ROWS)

    def interrupted(self: Any, grouped: bool) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        yield [ROWS[0]]

    monkeypatch.setattr(FileRun, "_read_batches", interrupted)
    stopped = run("score", "data.csv", "--url", service.url)
    assert stopped.code == 130
    assert "stopped before the first row was scored; nothing was written" in stopped.err.replace("\n", " ")
    assert [path.name for path in Path.cwd().iterdir()] == ["data.csv"]


def test_models_that_change_while_a_file_is_scored_do_not_mix(tmp_path: Path) -> None:
    record = RunRecord(tmp_path / "out.jsonl", resumed=False)
    record.tell(models={"helpful": "text_preference 1-a"})
    record.save()
    record.tell(models={"harmless": "text_harmless 1-b"})
    with pytest.raises(Unusable, match="the model of helpful text_preference 1-a, and now it is text_preference 2-c"):
        record.tell(models={"helpful": "text_preference 2-c"})
    resumed = RunRecord(tmp_path / "out.jsonl", resumed=True)
    with pytest.raises(Unusable, match="text_preference 2-c"):
        resumed.tell(models={"helpful": "text_preference 2-c"})


@pytest.mark.parametrize(
    ("url", "named", "said"),
    [
        ("grpc://127.0.0.1:1/v1", (), "names a run"),
        ("grpcs://127.0.0.1:1/run/a", ("--run", "b"), "name one"),
    ],
)
def test_an_address_that_cannot_be_meant_is_a_sentence(run: Run, url: str, named: tuple[str, ...], said: str) -> None:
    Path("data.jsonl").write_text('{"prompt": "p", "response": "r"}\n')
    ended = run("score", "data.jsonl", "--url", url, *named)
    assert ended.code == 2
    assert said in " ".join(ended.err.replace("│", " ").split())
