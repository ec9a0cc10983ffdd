"""How ``score FILE`` cuts a file for a reward that compares the samples of a group: as the service will group them."""

import json
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.cli.output import Unusable
from reward_gateway.cli.scoring import FileRun
from reward_gateway.intake.sample_files import Csv, JsonLines

FIELDS = {name: name for name in ("prompt", "response", "group")}


def cut(tmp_path: Path, *rows: dict[str, Any]) -> list[int]:
    """Rows of every batch, where a batch has room for one."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    there: Any = None
    run = FileRun(JsonLines(path), there, FIELDS, None, 1, 1, 1.0, "", True, there)
    return [len(batch) for batch in run._read_batches(grouped=True)]


def test_equal_messages_stay_together_whatever_the_order_of_their_keys(tmp_path: Path) -> None:
    one = {"prompt": [{"role": "user", "content": "a"}], "response": "r"}
    same = {"prompt": [{"content": "a", "role": "user"}], "response": "s"}
    other = {"prompt": [{"role": "user", "content": "b"}], "response": "r"}
    assert cut(tmp_path, one, same, other) == [2, 1]


def test_a_row_without_a_group_belongs_to_its_prompt(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"group": "g", "prompt": "a"},
        {"group": None, "prompt": "a"},
        {"prompt": "b"},
        {"prompt": "b"},
    ]
    assert cut(tmp_path, *rows) == [1, 1, 2]


def test_a_group_in_two_places_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="sort the file"):
        cut(tmp_path, {"prompt": "a"}, {"prompt": "b"}, {"prompt": "a"})


def test_rows_with_neither_a_group_nor_a_prompt_are_no_group(tmp_path: Path) -> None:
    assert cut(tmp_path, {"response": "a"}, {"response": "b", "prompt": None}) == [1, 1]


def test_an_absent_key_or_null_is_a_missing_prompt_and_an_empty_cell_of_csv_an_empty_one(tmp_path: Path) -> None:
    there: Any = None
    path = tmp_path / "rows.csv"
    path.write_text("prompt,response,group\n,a,\n")
    run = FileRun(Csv(path), there, FIELDS, None, 1, 1, 1.0, "", True, there)
    assert [run._make_sample(row) for row in run.source.rows()] == [{"prompt": "", "response": "a"}]
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": null, "response": "a"}\n{"response": "a"}\n{"prompt": "", "response": "a"}\n')
    run = FileRun(JsonLines(path), there, FIELDS, None, 1, 1, 1.0, "", True, there)
    samples = [run._make_sample(row) for row in run.source.rows()]
    assert samples == [{"response": "a"}, {"response": "a"}, {"prompt": "", "response": "a"}]
