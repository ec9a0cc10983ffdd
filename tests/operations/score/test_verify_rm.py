"""score/verify_rm (2508.05613)."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import ScoreWithModel
from reward_gateway.operations.registry import catalog
from reward_gateway.sample import RawScores

OP = "score/verify_rm"
ITEM = {"question": "1+1?", "reference": "2", "completion": "It is 2."}


def test_the_worked_example(call: Any) -> None:
    (binary,) = call(OP, {"logit": 1.3})
    assert binary["reward"] == 1
    assert binary["details"]["probability"] == pytest.approx(0.78583, abs=1e-5)
    assert call(OP, {"logit": 1.3}, binary=False)[0]["reward"] == pytest.approx(0.78583, abs=1e-5)


def test_exactly_half_is_not_right(call: Any) -> None:
    assert [r["reward"] for r in call(OP, {"logit": 0.0}, {"logit": -1e4}, {"logit": 1e4})] == [0, 0, 1]


def test_the_hosted_verifier_reads_the_published_text() -> None:
    operation = catalog().get("score", "verify_rm")
    assert operation is not None
    need = next(apply(operation, [ITEM], {}))
    assert isinstance(need, ScoreWithModel)
    assert need.batch.responses == [
        "<question>1+1?</question>\n<reference_answer>2</reference_answer>\n<completion>It is 2.</completion>"
    ]


def test_the_version_that_answered_is_told_and_a_cut_completion_flagged(call: Any) -> None:
    scores = RawScores(np.array([[2.0]]), "verify_rm", "7", np.array([False]))
    hosted, given, missing = call(OP, {**ITEM, "truncated": True}, {"logit": -1.0}, {"question": "?"}, answers=[scores])
    assert hosted["reward"] == 1
    assert hosted["details"]["model_version"] == "7"
    assert hosted["details"]["flags"] == ["truncated"]
    assert given["reward"] == 0
    assert given["details"]["model_version"] is None
    assert missing["error"]["code"] == "missing_field"


@settings(max_examples=40, deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_a_probability_that_rises_with_the_logit(call: Any, a: float, b: float) -> None:
    low, high = call(OP, {"logit": min(a, b)}, {"logit": max(a, b)}, binary=False)
    assert 0 <= low["reward"] <= high["reward"] <= 1
