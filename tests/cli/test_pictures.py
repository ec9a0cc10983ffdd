"""Images in a row of a file: by path, as bytes, or as the API has them."""

from pathlib import Path
from typing import Any

import pytest
from reward_gateway.cli.pictures import read_images
from reward_gateway.errors import InvalidRequest


def test_files_stand_beside_the_file_of_samples_or_anywhere(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    items = [{"path": "a.png"}, {"path": str(tmp_path / "a.png")}, {"path": "a.png", "bytes": None}]
    assert read_images(items, "images", tmp_path) == [b"a"] * 3


def test_bytes_of_a_dataset_are_taken_before_the_name_they_once_had(tmp_path: Path) -> None:
    assert read_images([{"bytes": b"b", "path": "gone.png"}, {"bytes": b"c"}], "frames", tmp_path) == [b"b", b"c"]


@pytest.mark.parametrize(
    "item", ["aGk=", {"b64": "aGk="}, {"url": "https://a.example/b.png"}, {"path": "a", "x": 1}, 7]
)
def test_everything_else_is_left_to_the_service(item: Any, tmp_path: Path) -> None:
    assert read_images([item], "images", tmp_path) == [item]
    assert read_images("no list", "images", tmp_path) == "no list"


def test_a_file_that_cannot_be_read_is_named_by_its_place(tmp_path: Path) -> None:
    for missing in ("gone.png", "."):
        with pytest.raises(InvalidRequest) as found:
            read_images([b"", {"path": missing}], "images", tmp_path)
        assert found.value.param == "images[1]"
