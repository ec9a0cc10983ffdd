"""Cross-encoders in vLLM: raw scores of pairs, alone and in one call, by /score and /rerank."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from tests.upstreams.scoring import CLOSE, PAIRS, ask, score, upstream
from tests.upstreams.servers import Server, ask_torch, make_checkpoint, serving_vllm

pytestmark = pytest.mark.anyio

ASKED = [pair for pair in PAIRS if pair[0]]
"""vLLM takes no query without a token."""

PROTOCOLS = pytest.mark.parametrize("protocol", ["vllm_score", "vllm_rerank"])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "cross_encoder", "cross_encoder")


@pytest.fixture(scope="module")
def vllm(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving_vllm(checkpoint, tmp_path_factory.mktemp("vllm") / "log") as server:
        yield server


@pytest.fixture(scope="module")
def torch_says(checkpoint: Path) -> Any:
    """[n, 1] logits."""
    return np.array(ask_torch([{"checkpoint": str(checkpoint), "pairs": ASKED}])[0])


def entry(vllm: Server, protocol: str, **more: Any) -> dict[str, Any]:
    """Of a file of upstreams."""
    return {"protocol": protocol, "urls": [vllm.url], "model": "rm", **more}


@PROTOCOLS
async def test_raw_scores(vllm: Server, torch_says: Any, tmp_path: Path, protocol: str) -> None:
    async with upstream(tmp_path, **entry(vllm, protocol)) as server:
        assert np.allclose(await score(server, ASKED), torch_says, atol=CLOSE)
        for pair, expected in zip(ASKED, torch_says, strict=True):
            assert np.allclose(await score(server, [pair]), [expected], atol=CLOSE)


@PROTOCOLS
async def test_a_sigmoid_where_one_is_wanted(vllm: Server, torch_says: Any, tmp_path: Path, protocol: str) -> None:
    async with upstream(tmp_path, **entry(vllm, protocol, activation="sigmoid")) as server:
        assert np.allclose(await score(server, ASKED), expit(torch_says), atol=CLOSE)


@PROTOCOLS
async def test_a_pair_that_is_too_long_is_refused_and_no_other(vllm: Server, tmp_path: Path, protocol: str) -> None:
    async with upstream(tmp_path, **entry(vllm, protocol)) as server:
        answer = await ask(server, [ASKED[0], ("What?", "long " * 400), ASKED[1]])
        assert {row: reason.code for row, reason in answer.invalid.items()} == {1: "too_large"}
