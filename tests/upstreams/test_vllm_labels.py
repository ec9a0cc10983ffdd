"""Models of K labels in vLLM: the logits of each by its name, raw, or through the activation that is wanted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from tests.upstreams.scoring import CLOSE, PAIRS, ask, conversation, score, upstream
from tests.upstreams.servers import Server, ask_torch, make_checkpoint, serving_vllm

pytestmark = pytest.mark.anyio

LABELS = ["helpful", "honest", "brief"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "labels", "labels")


@pytest.fixture(scope="module")
def vllm(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving_vllm(checkpoint, tmp_path_factory.mktemp("vllm") / "log") as server:
        yield server


@pytest.fixture(scope="module")
def torch_says(checkpoint: Path) -> list[Any]:
    """[n, 3] logits: of conversations, of responses."""
    responses = {"texts": [response for _, response in PAIRS], "special": True}
    chats = {"messages": [conversation(*pair) for pair in PAIRS]}
    return ask_torch([{"checkpoint": str(checkpoint), **asked} for asked in (chats, responses)])


def entry(vllm: Server, protocol: str, **more: Any) -> dict[str, Any]:
    """Of a file of upstreams."""
    return {"protocol": protocol, "urls": [vllm.url], "model": "rm", "dimensions": LABELS, **more}


@pytest.mark.parametrize("protocol", ["vllm_classify", "vllm_pooling"])
async def test_the_logit_of_each_label(vllm: Server, torch_says: list[Any], tmp_path: Path, protocol: str) -> None:
    for form, expected in zip(("messages", "response"), torch_says, strict=True):
        async with upstream(tmp_path, **entry(vllm, protocol, input=form)) as server:
            assert np.allclose(await score(server), expected, atol=CLOSE)


@pytest.mark.parametrize("protocol", ["vllm_classify", "vllm_pooling"])
async def test_a_softmax_where_one_is_wanted(
    vllm: Server, torch_says: list[Any], tmp_path: Path, protocol: str
) -> None:
    async with upstream(tmp_path, **entry(vllm, protocol, activation="softmax")) as server:
        assert np.allclose(await score(server), softmax(torch_says[0], axis=1), atol=CLOSE)


async def test_a_model_of_three_scores_is_not_taken_for_one_of_one(vllm: Server, tmp_path: Path) -> None:
    async with upstream(tmp_path, **entry(vllm, "vllm_classify") | {"dimensions": ["score"]}) as server:
        answer = await ask(server, PAIRS[:1])
        assert "3 numbers in place of" in answer.invalid[0].message
        assert np.isnan(answer.values).all()
