"""score/perplexity."""

import math
from typing import Any

import pytest


def test_perplexity_is_the_inverse_geometric_mean_of_the_probabilities(call: Any) -> None:
    even, certain = call("score/perplexity", {"logprobs": [math.log(0.5), math.log(0.125)]}, {"logprobs": [0.0]})
    assert even["reward"] == pytest.approx(4.0)
    assert even["details"]["mean_logprob"] == pytest.approx(-math.log(4.0))
    assert certain["reward"] == 1.0


def test_what_has_no_perplexity_is_an_error_and_never_a_number(call: Any) -> None:
    none, impossible, endless, fine = call(
        "score/perplexity", {"logprobs": []}, {"logprobs": [0.1]}, {"logprobs": [-1e4]}, {"logprobs": [0.0]}
    )
    assert {result["error"]["code"] for result in (none, impossible)} == {"invalid_field"}
    assert endless["error"]["code"] == "not_finite"
    assert fine["error"] is None
