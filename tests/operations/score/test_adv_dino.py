"""score/adv_dino and audit/discriminator_loss."""

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import ScoreWithModel
from reward_gateway.operations.registry import catalog
from reward_gateway.sample import RawScores

PATH, LOSS = "score/adv_dino", "audit/discriminator_loss"
scores = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=5)


def test_the_whole_image_weighs_seven_tenths(call: Any) -> None:
    [result] = call(PATH, {"cls": 0.8, "patches": [0.2, 0.4, 0.6]})
    assert result["reward"] == pytest.approx(0.68)
    assert result["details"] == {"cls": 0.8, "patches": pytest.approx(0.4)}


@pytest.mark.parametrize(
    "item", [{"cls": 0.8}, {"cls": 0.8, "patches": []}, {"patches": [1.0]}, {"image_b64": "?"}, {}]
)
def test_half_of_the_scores_is_the_items_error(call: Any, item: dict[str, Any]) -> None:
    bad, fine = call(PATH, item, {"cls": 1, "patches": [1]})
    assert bad["error"]["code"] == "invalid_field"
    assert fine["reward"] == pytest.approx(1.0)


@pytest.mark.parametrize(("answer", "reward"), [([[0.8, 0.4]], 0.68), ([[0.5]], 0.5)])
def test_an_image_goes_to_the_head_of_the_version_that_is_asked_for(answer: list[list[float]], reward: float) -> None:
    operation = catalog().get("score", "adv_dino")
    assert operation is not None
    item = {"image_b64": base64.b64encode(b"png").decode()}
    steps = apply(operation, [{"cls": 0, "patches": [0]}, item], {"head_version": "7"})
    need = next(steps)
    assert isinstance(need, ScoreWithModel)
    assert need.model == "adv_dino@7"
    with pytest.raises(StopIteration) as stop:
        steps.send(RawScores(np.array(answer), "adv_dino", "7", np.zeros(1, dtype=bool)))
    assert [result["reward"] for result in stop.value.value] == pytest.approx([0.0, reward])


@given(st.floats(-1e4, 1e4), scores)
@settings(max_examples=50, deadline=None)
def test_lies_between_its_scores_and_is_blind_to_the_order_of_patches(
    call: Any, cls: float, patches: list[float]
) -> None:
    one, other = call(PATH, {"cls": cls, "patches": patches}, {"cls": cls, "patches": patches[::-1]})
    assert min(cls, *patches) - 1e-6 <= one["reward"] <= max(cls, *patches) + 1e-6
    assert one["reward"] == pytest.approx(other["reward"], abs=1e-8)


def test_the_discriminators_hinge_loss(call: Any) -> None:
    [result] = call(LOSS, {"real": [1.5], "fake": [-0.2], "real_patches": [0.5], "fake_patches": [-0.1]})
    assert result["reward"] == pytest.approx(0.61)
    assert result["details"] == {"accuracy": 1.0, "image_loss": pytest.approx(0.4), "patch_loss": pytest.approx(0.7)}


def test_patches_may_be_left_out_but_not_by_half(call: Any) -> None:
    whole, half, none = call(
        LOSS, {"real": [2], "fake": [2]}, {"real": [2], "fake": [2], "real_patches": [1]}, {"real": [], "fake": [1]}
    )
    assert (whole["reward"], whole["details"]["accuracy"], whole["details"]["patch_loss"]) == (1.5, 0.5, None)
    assert half["error"]["code"] == none["error"]["code"] == "invalid_field"


@given(scores, scores)
@settings(max_examples=50, deadline=None)
def test_the_loss_is_never_negative_and_turns_with_the_signs(call: Any, real: list[float], fake: list[float]) -> None:
    one, other = call(LOSS, {"real": real, "fake": fake}, {"real": [-x for x in fake], "fake": [-x for x in real]})
    assert 0.0 <= one["reward"] == pytest.approx(other["reward"])
    assert one["details"]["accuracy"] == pytest.approx(other["details"]["accuracy"])
