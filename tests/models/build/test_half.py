"""A model in half precision is measured beside float32, and is a version of its own."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from reward_models.build import half
from reward_models.repository import REPOSITORY, RepositoryError
from reward_models.repository import card as cards


def scores(*values: float) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    return np.array(values, np.float32).reshape(-1, 1)


def test_equal_scores_agree() -> None:
    same = scores(1, 2, 3)
    assert half.compute_agreement(same, same) == half.Agreement(3, 0.0, 1.0)


def test_one_pair_of_three_in_the_other_order_is_seen() -> None:
    found = half.compute_agreement(scores(1, 2, 3), scores(2, 1, 3))
    assert found.order == pytest.approx(2 / 3)
    assert found.difference == pytest.approx(1 / np.std([1, 2, 3]))


def test_pairs_that_float32_does_not_tell_apart_count_neither_way() -> None:
    assert half.compute_agreement(scores(1, 1, 3), scores(1.001, 1, 3)).order == 1


def test_the_worst_of_several_numbers_counts() -> None:
    full = np.array([[1, 1], [2, 2], [3, 3]], np.float32)
    worse = np.array([[1, 3], [2, 2], [3, 1]], np.float32)
    assert half.compute_agreement(full, worse).order == 0


def test_precision_is_part_of_a_version(tmp_path: Path) -> None:
    content = yaml.safe_load((REPOSITORY / "text_preference" / "card.yaml").read_text())
    half.write_card(tmp_path, content)
    before = cards.read_card(tmp_path).version
    half.write_card(tmp_path, content | {"settings": content["settings"] | {"precision": "fp16"}})
    assert cards.read_card(tmp_path).version != before


def test_a_graph_is_halved_with_its_inputs_and_outputs_as_they_were(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    half.stage_half(REPOSITORY, "text_preference", tmp_path / "text_preference")
    graph = onnx.load(tmp_path / "text_preference" / "1" / "encoder.onnx").graph
    assert {output.type.tensor_type.elem_type for output in graph.output} == {onnx.TensorProto.FLOAT}
    assert onnx.TensorProto.FLOAT16 in {weight.data_type for weight in graph.initializer}
    found = half.compare_scores(REPOSITORY, "text_preference", tmp_path, 8)
    assert found.order == 1
    assert found.difference < half.MOST_DIFFERENCE


def test_weights_of_four_bits_are_not_halved(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    with pytest.raises(RepositoryError, match="weights of four bits"):
        half.stage_half(REPOSITORY, "language_model", tmp_path / "language_model")
