"""transform/running_quantile and running_robust_scale: the stream is played by the test."""

import math
import statistics
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.operations.columns import Columns
from reward_gateway.operations.effects import AppendToArchive, ReadArchive
from reward_gateway.operations.registry import catalog

from tests.operations.conftest import call_operation

numbers = st.lists(st.integers(-50, 50).map(float), max_size=20)
some = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=20)
pytestmark = pytest.mark.anyio
BOTH = ["running_quantile", "running_robust_scale"]


def archive(values: list[float]) -> Any:
    return np.array(values).reshape(-1, 1) if values else np.empty((0, 0))


def ask(name: str, before: list[float], own: list[float], **params: Any) -> list[dict[str, Any]]:
    items = [{"reward": reward} for reward in own]
    return call_operation(f"transform/{name}", *items, answers=[archive(before), None], stream="s", **params)


@given(numbers, some)
def test_the_level_is_the_share_below_and_half_of_the_equal(before: list[float], own: list[float]) -> None:
    stream = before + own
    for reward, result in zip(own, ask("running_quantile", before, own), strict=True):
        below, equal = sum(x < reward for x in stream), stream.count(reward)
        assert result["reward"] == pytest.approx((below + equal / 2) / len(stream))
        assert 0 < result["reward"] < 1
        assert result["details"]["count"] == len(stream)


@given(numbers, some)
def test_only_the_order_counts_for_the_level(before: list[float], own: list[float]) -> None:
    rising = [math.exp(x / 10) for x in before], [math.exp(x / 10) for x in own]
    assert ask("running_quantile", *rising) == ask("running_quantile", before, own)


@given(numbers, some)
def test_the_scale_is_that_of_the_stream_with_the_items(before: list[float], own: list[float]) -> None:
    stream = before + own
    median = statistics.median(stream)
    deviations = [abs(x - median) for x in stream]
    spread = 1.482602218505602 * statistics.median(deviations) or 1.2533141373155003 * statistics.fmean(deviations)
    for reward, result in zip(own, ask("running_robust_scale", before, own, eps=0.0), strict=True):
        assert result["reward"] == pytest.approx((reward - median) / spread if spread else 0.0, abs=1e-9)
        assert result["details"] == {"count": len(stream), "median": median, "spread": pytest.approx(spread)}


@pytest.mark.parametrize("name", BOTH)
def test_only_the_latest_count_but_every_item_of_the_request(name: str) -> None:
    (result,) = ask(name, [1e6] * 10 + [1.0, 2.0], [3.0], window=3)
    assert result["details"]["count"] == 3
    assert len(ask(name, [], [1.0, 2.0, 3.0], window=1)) == 3
    assert ask(name, [], [1.0, 2.0, 3.0], window=1)[0]["details"]["count"] == 3


@pytest.mark.parametrize("name", BOTH)
def test_the_items_join_the_stream_once_it_was_read(name: str) -> None:
    operation = catalog().get("transform", name)
    assert operation is not None
    assert operation.stateful
    columns = Columns(3, {"reward": np.array([1.0, np.nan, 3.0])})
    steps: Any = operation.function(columns, operation.params.model_validate({"stream": "s"}))
    assert next(steps) == ReadArchive("s")
    appended = steps.send(np.empty((0, 0)))
    assert isinstance(appended, AppendToArchive)
    assert appended.vectors.tolist() == [[1.0], [3.0]]
    with pytest.raises(StopIteration) as end:
        steps.send(None)
    assert np.isnan(end.value.value.reward).tolist() == [False, True, False]


@pytest.mark.parametrize("name", BOTH)
def test_an_archive_of_vectors_is_no_stream(name: str) -> None:
    results = call_operation(f"transform/{name}", {"reward": 1.0}, answers=[np.ones((4, 3))], stream="s")
    assert results[0]["error"]["code"] == "operation_error"
    assert "vectors of 3 numbers" in results[0]["error"]["message"]


@pytest.mark.parametrize("name", BOTH)
async def test_a_stream_goes_on_in_the_next_request_and_is_inspected_and_reset(
    http: httpx.AsyncClient, name: str
) -> None:
    async def count(*rewards: float) -> int:
        body = {"items": [{"reward": reward} for reward in rewards], "params": {"stream": f"of-{name}"}}
        answer = await http.post(f"/v1/transform/{name}", json=body)
        counted: int = answer.json()["results"][0]["details"]["count"]
        return counted

    assert [await count(1.0, 2.0), await count(5.0)] == [2, 3]
    shown = (await http.get(f"/v1/state/archives/of-{name}")).json()
    assert shown["value"] == [[1.0], [2.0], [5.0]]
    assert (await http.delete(f"/v1/state/archives/of-{name}")).json() == {"reset": True}
    assert await count(7.0) == 1
