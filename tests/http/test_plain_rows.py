"""Rows that are written from columns are those that are encoded one by one, to the last byte."""

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.http.encode import _make_rows, encode_scored
from reward_gateway.http.plain_rows import FEWEST, are_plain, write_plain_rows
from reward_gateway.sample import Batch, ComponentScores, Scored

NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=64)
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ['","', '"', "\\", '\\"', '",', '{"id":"a"}', "%s", "\0", "é", ""]
)
FLAGS = st.lists(st.booleans(), min_size=3, max_size=3)


@st.composite
def components(draw: st.DrawFn) -> ComponentScores:
    raw = np.array(draw(st.lists(NUMBERS, min_size=3, max_size=3)))
    value = raw if draw(st.booleans()) else np.array(draw(st.lists(NUMBERS, min_size=3, max_size=3)))
    model, cached = draw(st.none() | TEXTS), draw(st.none() | FLAGS)
    return ComponentScores(raw, value, model, model, None if cached is None else np.array(cached))


@given(
    st.lists(TEXTS, min_size=3, max_size=3),
    st.lists(FINITE, min_size=3, max_size=3),
    st.dictionaries(TEXTS, components(), max_size=3),
    st.booleans(),
    st.sampled_from([None, slice(0, 3), slice(1, 3), slice(2, 3)]),
)
def test_plain_rows_are_those_of_objects(
    names: list[str], reward: list[float], parts: dict[str, ComponentScores], explain: bool, chosen: slice | None
) -> None:
    scored, batch = Scored("r", "v", np.array(reward), parts), Batch(names, [""] * 3, [""] * 3)
    assert are_plain(scored)
    which = chosen or slice(None)
    rows = _make_rows(batch, scored, {}, None if chosen is None else range(chosen.start, chosen.stop), explain=explain)
    written = write_plain_rows(names[which], scored.reward[which], parts if explain else {}, chosen)
    assert b"[%b]" % written == orjson.dumps(rows)


@pytest.mark.parametrize("more", [{"flags": {1: ("a",)}}, {"rewards": [None] * 3}, {"reward_raw": np.zeros(3)}])
def test_rows_with_more_to_tell_are_not_plain(more: dict[str, Any]) -> None:
    assert not are_plain(Scored("r", "v", np.zeros(3), {}, **more))


@pytest.mark.parametrize("more", [{"vectors": [None] * 3}, {"judge_answers": ["a"] * 3}, {"limits": [1.5] * 3}])
def test_rows_with_components_that_have_more_to_tell_are_not_plain(more: dict[str, Any]) -> None:
    part = ComponentScores(np.zeros(3), np.zeros(3), **more)
    assert not are_plain(Scored("r", "v", np.zeros(3), {"a": part}))


@pytest.mark.parametrize("size", [FEWEST - 1, FEWEST, 20_000])
@pytest.mark.parametrize("lost", [False, True])
def test_batches_of_every_size_have_the_same_rows(size: int, lost: bool) -> None:
    reward = np.arange(size) / 7
    if lost:
        reward[size // 2] = np.nan
    scored = Scored("r", "v", reward, {"a": ComponentScores(reward, reward, "m", "1")})
    batch = Batch([f"s{i}" for i in range(size)], [""] * size, [""] * size)
    results = orjson.loads(encode_scored(batch, scored, {}, explain=True))["results"]
    assert [(row["id"], row["reward"], row["valid"], row["components"]["a"]["raw"]) for row in results] == [
        (f"s{i}", None, False, None) if lost and i == size // 2 else (f"s{i}", i / 7, True, i / 7) for i in range(size)
    ]
