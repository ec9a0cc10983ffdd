"""Titles: the same score in any company, features that may be absent, and a bad row alone in its error."""

from collections.abc import Callable

import numpy as np
import pytest
from reward_models.runtime.instance import Instance
from reward_models.runtime.popularity import FeatureError, PopularityScorer, count_title, parse_features
from reward_models.runtime.rows import Answer

TITLES = ["Show HN: A tiny database in 500 lines of C", "How compilers work", "Buy now", "Ask HN: What do you read?"]


Score = Callable[..., Answer]


@pytest.fixture(scope="module")
def score(start: Callable[[str], Instance]) -> Score:
    scorer = PopularityScorer(start("social_popularity"), remembered=0)

    def ask(titles: list[str], features: list[str] | None = None) -> Answer:
        columns = {"response": [title.encode() for title in titles]}
        if features is not None:
            columns["features"] = [value.encode() for value in features]
        return scorer.score(columns, len(titles))

    return ask


def test_a_title_has_the_same_score_in_any_batch_and_order(score: Score) -> None:
    titles = [*TITLES, "word " * 200, "日本語"]
    alone = np.array([score([title]).scores[0] for title in titles])
    together = score(titles[::-1])
    np.testing.assert_allclose(together.scores[::-1], alone, atol=1e-5, rtol=0)
    assert together.flags[::-1].tolist() == [0, 0, 0, 0, 1, 0]


def test_features_that_are_absent_change_nothing_and_those_given_do(score: Score) -> None:
    bare, empty, other, given = score([TITLES[1]] * 4, ["", "{}", '{"length": 3}', '{"has_link": 0}']).scores[:, 0]
    assert bare == pytest.approx(empty, abs=1e-6)
    assert bare == pytest.approx(other, abs=1e-6)
    assert abs(bare - given) > 0.01


def test_midnight_has_one_score_whichever_way_it_is_written(score: Score) -> None:
    first, last = score([TITLES[0]] * 2, ['{"hour": 0}', '{"hour": 24}']).scores[:, 0]
    assert first == pytest.approx(last, abs=1e-5)


def test_a_row_that_cannot_be_read_is_alone_in_its_error(score: Score) -> None:
    answer = score(["", "A title", "A title", " "], ["", '{"hour": 25}', "{}", ""])
    assert {row: why.partition(":")[0] for row, why in answer.errors.items()} == {
        0: "missing_field",
        1: "invalid_field",
        3: "missing_field",
    }
    assert np.isfinite(answer.scores[:, 0]).tolist() == [False, False, True, False]


@pytest.mark.parametrize("features", ["[1]", "no JSON", '{"weekday": "monday"}', '{"hour": true}', '{"hour": NaN}'])
def test_features_out_of_range_are_refused_and_not_quoted(features: str) -> None:
    with pytest.raises(FeatureError) as refused:
        parse_features(features.encode())
    assert "monday" not in str(refused.value)


def test_a_title_is_counted_by_kind_form_and_length() -> None:
    found = count_title("Show HN: Why (2014)? [pdf]")
    assert found[:7] == [1, 0, 1, 0, 1, 1, 1]
    assert len(found) == 15
    assert count_title("")[:12] == [0.0] * 12
