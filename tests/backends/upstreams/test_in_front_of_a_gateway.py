"""A gateway in front of a gateway: the service's own forms are those of servers that an upstream may be."""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from reward_gateway.backends.upstreams.config import UpstreamConfig

from tests.oip.conftest import Served, serving

from .conftest import OpenUpstreams, soon, texts

pytestmark = pytest.mark.anyio

PAIRS = [("Who?", "I, said the fly."), ("Why?", "Because."), ("", "Now.")]
TENSORS = {"inputs": {"prompt": "prompt", "response": "response"}, "output": "reward", "valid": "valid"}


@pytest.fixture(scope="module")
def behind() -> Iterator[Served]:
    with serving() as running:
        yield running


FORMS: list[Any] = [
    ("http", "vllm_classify", {"model": "plain"}),
    ("http", "tei_rerank", {}),
    ("http", "openrlhf", {}),
    ("http", "oip", {"model": "plain", "tensors": TENSORS}),
    ("grpc", "oip", {"model": "plain", "tensors": TENSORS}),
]


@pytest.mark.parametrize(("scheme", "protocol", "more"), FORMS)
async def test_its_scores_are_those_of_the_service_behind(
    behind: Served, upstreams: OpenUpstreams, scheme: str, protocol: str, more: dict[str, Any]
) -> None:
    url = f"{scheme}://{behind.http if scheme == 'http' else behind.grpc}"
    models = upstreams(rm=UpstreamConfig.model_validate({"protocol": protocol, "urls": [url], **more}))
    (info,) = await models.models()
    assert info.ready, info.fault
    answer = await models.score("rm", texts(*PAIRS), [0, 1, 2], soon())
    assert answer.invalid == {}
    native = await asyncio.to_thread(behind.native, "plain", [p for p, _ in PAIRS], [r for _, r in PAIRS])
    np.testing.assert_allclose(answer.values[:, 0], native, rtol=1e-5)


@pytest.mark.parametrize("scheme", ["http", "grpc"])
async def test_what_the_service_behind_cannot_score_is_no_score_here(
    behind: Served, upstreams: OpenUpstreams, scheme: str
) -> None:
    url = f"{scheme}://{behind.http if scheme == 'http' else behind.grpc}"
    config = {"protocol": "oip", "urls": [url], "model": "plain", "tensors": TENSORS}
    models = upstreams(rm=UpstreamConfig.model_validate(config))
    answer = await models.score("rm", texts(("p", "good"), ("p", "bad")), [0, 1], soon())
    assert [*answer.invalid] == [1]
    assert np.isfinite(answer.values[0, 0])
    nobody = UpstreamConfig.model_validate({**config, "model": "nobody"})
    (info,) = await upstreams(rm=nobody).models()
    assert "see `model`" in info.fault


async def test_a_path_that_always_applies_a_sigmoid_is_recognised(behind: Served, upstreams: OpenUpstreams) -> None:
    """The service's own ``/v1/rerank`` is Cohere's and Jina's as well, who know no raw scores."""
    config = {"protocol": "vllm_rerank", "urls": [f"http://{behind.http}"], "model": "plain"}
    (info,) = await upstreams(rm=UpstreamConfig.model_validate(config)).models()
    assert not info.ready
    assert "the same with and without use_activation" in info.fault
    (info,) = await upstreams(rm=UpstreamConfig.model_validate({**config, "activation": "server"})).models()
    assert info.ready
