"""Process models in vLLM: the number of each token, or of each step by the mark behind it, as torch says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from tests.upstreams.scoring import CLOSE, PAIRS, ask, conversation, upstream, vectors
from tests.upstreams.servers import Server, ask_torch, make_checkpoint, serving_vllm

pytestmark = pytest.mark.anyio

MARK = " ки"
SOLUTIONS = [("What is 1 + 1?", "1 + 1 is 2. ки It is 2. ки"), ("What is 2 + 2?", "4 ки")]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "process", "process")


@pytest.fixture(scope="module")
def vllm(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    every_token = ("--pooler-config", '{"tok_pooling_type": "ALL"}')  # unset, only those of Qwen's own step mark
    with serving_vllm(checkpoint, tmp_path_factory.mktemp("vllm") / "log", *every_token) as server:
        yield server


def entry(vllm: Server, **named: Any) -> dict[str, Any]:
    return {"protocol": "vllm_pooling", "urls": [vllm.url], "model": "rm", "vector": True, **named}


async def test_every_token_has_a_number_and_the_last_is_the_score(
    vllm: Server, checkpoint: Path, tmp_path: Path
) -> None:
    chats = [conversation(*pair) for pair in PAIRS]
    (expected,) = ask_torch([{"checkpoint": str(checkpoint), "messages": chats}])
    async with upstream(tmp_path, **entry(vllm, input="messages")) as server:
        answer = await ask(server, PAIRS)
        for numbers, row in zip(vectors(answer), expected, strict=True):
            assert np.allclose(numbers, np.array(row)[:, 1], atol=CLOSE)
        assert np.allclose(answer.values[:, 0], [row[-1][1] for row in expected], atol=CLOSE)


async def test_the_probability_of_good_is_at_the_mark_behind_each_step(
    vllm: Server, checkpoint: Path, tmp_path: Path
) -> None:
    starts = [[response[: response.index(MARK, k) + len(MARK)] for k in places(response)] for _, response in SOLUTIONS]
    asked = [{"checkpoint": str(checkpoint), "texts": texts, "special": True} for texts in starts]
    expected = [[softmax(text[-1])[1] for text in texts] for texts in ask_torch(asked)]
    more = {"input": "response", "step_mark": MARK, "tokenizer": str(checkpoint / "tokenizer.json")}
    async with upstream(tmp_path, **entry(vllm, activation="softmax", **more)) as server:
        found = vectors(await ask(server, SOLUTIONS))
        assert [len(row) for row in found] == [2, 1]
        for numbers, row in zip(found, expected, strict=True):
            assert np.allclose(numbers, row, atol=CLOSE)


def places(response: str) -> list[int]:
    """Of the marks in a text."""
    return [k for k in range(len(response)) if response.startswith(MARK, k)]
