"""Components of an answer as columns: what was skipped, and whose number it is."""

import numpy as np
from reward_gateway.client.scores import Scores
from reward_gateway.client.wire import ScoreAnswer, WireComponent, WireResult


def columns_of(*components: WireComponent) -> Scores:
    results = [WireResult(str(i), True, 1.0, components={"a": one}) for i, one in enumerate(components)]
    return Scores.of(ScoreAnswer("r", "v", results, {}, {}))


def test_a_skipped_sample_says_what_decided_and_names_no_model() -> None:
    component = columns_of(
        WireComponent(None, 0.5, skipped="correct"), WireComponent(1.0, 2.0, "rm", "1", cached=True)
    ).components["a"]
    np.testing.assert_array_equal(component.raw, [np.nan, 1.0])
    assert component.value.tolist() == [0.5, 2.0]
    assert (component.model, component.model_version, component.models) == ("rm", "1", None)
    assert component.skipped == ["correct", None]


def test_samples_with_scorers_of_their_own_name_them() -> None:
    component = columns_of(WireComponent(1.0, 1.0), WireComponent(2.0, 2.0, "rm", "1")).components["a"]
    assert component.models == [None, "rm"]
    assert component.skipped is None


def test_where_all_is_computed_by_one_there_is_nothing_more_to_tell() -> None:
    component = columns_of(*[WireComponent(1.0, 1.0, "rm", "1")] * 2).components["a"]
    assert (component.skipped, component.models, component.model) == (None, None, "rm")
