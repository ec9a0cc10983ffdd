"""Features of odd shapes over HTTP: the reason of their sample, and no matter of any other sample or request."""

import numpy as np
import pytest
from reward_gateway.telemetry.telemetry import Telemetry

from tests.http.conftest import Serve, Served
from tests.raising import raising_metrics

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  given:
    components:
      mine: {score: given, inputs: {value: {feature: my_score}}}
  length:
    components:
      brevity: {score: linear_length, params: {target: 10}, inputs: {length: {feature: tokens}}}
"""
WRONG: tuple[list[object], ...] = ([10.0], [0.5, 0.6], [], [[0.5]], [[[[0.5]]]])


def sample(**features: object) -> dict[str, object]:
    return {"response": "a", "features": features}


@pytest.mark.parametrize(("recipe", "feature"), [("given", "my_score"), ("length", "tokens")])
@pytest.mark.parametrize("wrong", WRONG)
async def test_a_feature_of_another_shape_is_the_reason_of_its_sample(
    serve: Serve, recipe: str, feature: str, wrong: object
) -> None:
    async with serve(recipes=RECIPES) as served:
        samples = [sample(**{feature: 4.0}), sample(**{feature: wrong}), sample(**{feature: 5.0})]
        answer = await served.score({"reward": recipe, "samples": samples})
        assert answer.status_code == 200, answer.text
        first, odd, last = answer.json()["results"]
        assert all(result["valid"] and isinstance(result["reward"], float) for result in (first, last))
        assert (odd["valid"], odd["reward"], odd["error"]["code"]) == (False, None, "invalid_field")
        assert f"features.{feature}" in odd["error"]["message"]
        alone = await served.score({"reward": recipe, "samples": [samples[1]]})
        assert (alone.status_code, alone.json()["results"][0]["error"]["code"]) == (200, "invalid_field")


async def test_the_next_request_of_another_caller_and_the_monitor_are_answered(serve: Serve) -> None:
    async with serve(recipes=RECIPES) as served:
        for value in ([0.5, 0.6], 0.5, 1e308, -1e308):
            assert (await served.score({"reward": "given", "samples": [sample(my_score=value)]})).status_code == 200
        report = await served.client.get("/v1/monitor")
        assert report.status_code == 200
        told = report.json()["rewards"]["given"]
        assert (told["samples"], told["reward"]["count"]) == (4, 3)
        assert (await served.client.get("/metrics")).status_code == 200


async def test_a_text_that_is_a_feature_is_no_feature(served: Served) -> None:
    served.refused(await served.score({"samples": [sample(x="a")]}), 422, "samples[0].features.x")
    served.refused(await served.score({"samples": [sample(x=[True])]}), 422, "samples[0].features.x[0]")


async def test_a_text_among_the_numbers_of_a_feature_makes_its_sample_invalid_and_is_named(serve: Serve) -> None:
    async with serve(recipes=RECIPES) as served:
        wrong = (["a"], [0.5, "0.5"], [[1.0], [2.0, "b", None]], [None, "c"])
        samples = [sample(my_score=1.0), *(sample(my_score=4.0, x=value) for value in wrong), sample(my_score=2.0)]
        answer = await served.score({"reward": "given", "samples": samples})
        assert answer.status_code == 200, answer.text
        first, *refused, last = answer.json()["results"]
        assert (first["reward"], last["reward"]) == (1.0, 2.0)
        assert [(result["error"]["code"], result["error"]["param"]) for result in refused] == [
            ("invalid_field", f"features.x{place}") for place in ("[0]", "[1]", "[1][1]", "[0]")
        ]
        assert refused[1]["error"]["message"] == "features.x[1]: a text is no number"
        assert refused[3]["error"]["message"] == "features.x[0]: null is no number"


async def test_no_request_fails_because_it_cannot_be_measured(serve: Serve) -> None:
    told: list[str] = []
    async with serve(Telemetry(metrics=raising_metrics(told))) as served:
        answer = await served.score({"reward": "mixed", "samples": [{"response": "abc"}, {"response": ""}]})
        assert answer.status_code == 200
        assert [result["valid"] for result in answer.json()["results"]] == [True, True]
        assert np.isfinite([result["reward"] for result in answer.json()["results"]]).all()
        assert (await served.score({"reward": "none", "samples": []})).status_code == 404
        served.models.away = True
        assert (await served.score({"samples": [{"response": "abc"}]})).status_code == 503
    assert {"request_answered", "batch_scored", "admission_changed"} <= set(told)


PROCESS = """
rewards:
  r:
    components:
      outcome: {score: exact_match}
      process: {score: given_steps, inputs: {values: {feature: process}}}
    credit: renorm
"""


async def test_null_among_process_scores_makes_its_sample_invalid_and_names_the_turn(serve: Serve) -> None:
    async with serve(recipes=PROCESS) as served:
        samples = [
            {"response": "a", "reference": "a", "features": {"process": process}}
            for process in ([0.5, 1.0], [0.5, None], [0.5, 1.5], None, [[4.0, 6.0], [None, 5.0]])
        ]
        answer = await served.score({"samples": samples})
        assert answer.status_code == 200, answer.text
        fine, *refused = answer.json()["results"]
    assert (fine["reward"], fine["rewards"]) == (1.0, [0.5, 1.0, 1.0])
    assert all((result["reward"], result["rewards"]) == (None, None) for result in refused)
    assert [(result["error"]["code"], result["error"]["param"]) for result in refused] == [
        ("invalid_field", "features.process[1]"),
        ("invalid_field", "process[1]"),
        ("missing_field", "features.process"),
        ("invalid_field", "features.process[1][0]"),
    ]
