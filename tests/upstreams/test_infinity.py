"""infinity: rerankers with raw scores; classifiers through softmax, whatever is asked, which is said at the start."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax

from tests.upstreams.scoring import CLOSE, PAIRS, ask, score, upstream
from tests.upstreams.servers import Server, ask_torch, make_checkpoint, start_infinity

pytestmark = pytest.mark.anyio

STRIPPED = [(prompt.strip(), response.strip()) for prompt, response in PAIRS]
"""infinity strips white space around every text before it reads it."""

LABELS = ["helpful", "honest", "brief"]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("checkpoints")
    return {name: make_checkpoint(folder / name, name) for name in ("labels", "cross_encoder")}


@pytest.fixture(scope="module")
def infinity(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_infinity(checkpoints, tmp_path_factory.mktemp("infinity") / "log")
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def torch_says(checkpoints: dict[str, Path]) -> list[Any]:
    """Logits of the responses by the classifier [n, 3], and of the pairs by the cross-encoder [n, 1]."""
    texts = {"texts": [response for _, response in STRIPPED], "special": True}
    return ask_torch(
        [
            {"checkpoint": str(checkpoints["labels"]), **texts},
            {"checkpoint": str(checkpoints["cross_encoder"]), "pairs": STRIPPED},
        ]
    )


def entry(infinity: Server, kind: str, model: str, **more: Any) -> dict[str, Any]:
    return {"protocol": f"infinity_{kind}", "urls": [infinity.url], "model": model, **more}


async def test_a_reranker_gives_raw_scores(infinity: Server, torch_says: list[Any], tmp_path: Path) -> None:
    async with upstream(tmp_path, **entry(infinity, "rerank", "cross_encoder")) as server:
        assert np.allclose(await score(server), torch_says[1], atol=CLOSE)


async def test_a_reranker_gives_a_sigmoid_where_one_is_wanted(
    infinity: Server, torch_says: list[Any], tmp_path: Path
) -> None:
    async with upstream(tmp_path, **entry(infinity, "rerank", "cross_encoder", activation="sigmoid")) as server:
        assert np.allclose(await score(server), expit(torch_says[1]), atol=CLOSE)


async def test_a_classifier_gives_its_labels_by_name(infinity: Server, torch_says: list[Any], tmp_path: Path) -> None:
    more = {"dimensions": LABELS, "activation": "softmax", "input": "response"}
    async with upstream(tmp_path, **entry(infinity, "classify", "labels", **more)) as server:
        assert np.allclose(await score(server), softmax(torch_says[0], axis=1), atol=CLOSE)


async def test_a_classifier_that_applies_softmax_to_whatever_is_asked_is_refused_for_raw_scores(
    infinity: Server, tmp_path: Path
) -> None:
    """infinity's /classify ignores ``raw_scores`` (0.0.78)."""
    more = {"dimensions": LABELS, "activation": "none", "input": "response"}
    async with upstream(tmp_path, **entry(infinity, "classify", "labels", **more)) as server:
        answer = await ask(server, PAIRS[:1])
        assert "with and without" in answer.invalid[0].message


async def test_a_wrong_name_is_said_and_is_no_score(infinity: Server, tmp_path: Path) -> None:
    async with upstream(tmp_path, **entry(infinity, "rerank", "other")) as server:
        answer = await ask(server, PAIRS[:1])
        assert answer.invalid[0].code == "model_unavailable"
        assert np.isnan(answer.values).all()
