"""A file of tasks is checked as a whole, with file and line, and gives each recipe its own."""

from pathlib import Path
from typing import Any

import pytest
from reward_gateway.cli.gateway_checks import find_gateway_faults
from reward_gateway.intake import task_file
from reward_gateway.intake.task_file import TaskFile, TaskFileError
from reward_gateway.settings import Settings

TASKS = """\
{"prompt": "2 + 2?", "reference": "4"}
{"prompt": "3 + 3?", "reference": "6", "reward": "math", "metadata": {"level": 1}}

{"prompt": "5 + 5?", "reference": "10", "split": "test"}
{"prompt": [{"role": "user", "content": "7 + 7?"}], "reference": "14"}
"""


def read(path: Path, text: str, **options: Any) -> TaskFile:
    file = path / "tasks.jsonl"
    file.write_text(text)
    return TaskFile.read(file, 64, **options)


def test_a_line_without_a_reward_is_a_task_of_every_recipe(tmp_path: Path) -> None:
    tasks = read(tmp_path, TASKS)
    assert (tasks.list_splits("math"), tasks.list_splits("other")) == (["train", "test"], ["train", "test"])
    assert [tasks.count("math", split) for split in ("train", "test", "none")] == [3, 1, 0]
    assert [tasks.get("math", "train", i).reference for i in range(3)] == ["4", "6", "14"]
    assert [tasks.get("other", "train", i).reference for i in range(2)] == ["4", "14"]
    assert tasks.get("math", "test", 0).reference == "10"


def test_a_task_becomes_a_sample_with_the_response_to_it(tmp_path: Path) -> None:
    sample = read(tmp_path, TASKS).get("math", "train", 1).to_sample("6")
    assert (sample.prompt, sample.response, sample.reference) == ("3 + 3?", "6", "6")


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_task_beyond_the_last(tmp_path: Path, index: int) -> None:
    with pytest.raises(IndexError):
        read(tmp_path, TASKS).get("math", "train", index)


def test_another_task_at_the_same_place_has_another_digest(tmp_path: Path) -> None:
    first, second = (read(tmp_path, text).digest("math", "train", 0) for text in (TASKS, TASKS.replace("2 + 2", "1")))
    assert first != second


def test_no_file_is_no_tasks() -> None:
    assert TaskFile.read(None, 64).list_splits("math") == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not valid JSON"),
        ("[]", "expected object"),
        ('{"prompt": 1}', "prompt: expected"),
        ('{"reference": "4"}', "prompt: missing field"),
        ('{"prompt": "p", "response": "r"}', "response: a task has none"),
        ('{"prompt": "p", "referense": "4"}', "unknown field referense"),
        ('{"prompt": "p", "split": ""}', "split: expected a name"),
        ('{"prompt": "p", "reward": "nobody"}', "no recipe of this name"),
        ('{"prompt": "p", "metadata": ' + "[" * 70 + "]" * 70 + "}", "nest"),
    ],
)
def test_a_line_that_is_no_task_is_named_with_its_file_and_number(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(TaskFileError) as caught:
        read(tmp_path, f"{TASKS}{line}\n", has_reward={"math"}.__contains__)
    assert str(caught.value).startswith(f"{tmp_path / 'tasks.jsonl'}:6: ")
    assert said in str(caught.value)


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TaskFileError, match="cannot be read"):
        TaskFile.read(tmp_path / "none.jsonl", 64)
    monkeypatch.setattr(task_file, "MOST_BYTES", 10)
    with pytest.raises(TaskFileError, match="over the limit"):
        read(tmp_path, TASKS)


def test_a_fault_is_told_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text('{"prompt": "2 + 2?", "reward": "nobody"}\n')
    (fault,) = find_gateway_faults(Settings(tasks_file=file))
    assert f"{file}:1: reward: there is no recipe of this name" in fault.sentence
    assert "REWARD_GATEWAY_TASKS_FILE" in fault.sentence
