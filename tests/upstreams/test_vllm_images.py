"""Vision-language reward models in vLLM: conversations with images, as torch says."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from reward_gateway.sample import Batch, Media

from tests.upstreams.scoring import CLOSE, ask_batch, batch_of, upstream
from tests.upstreams.servers import Server, ask_torch, make_checkpoint, serving_vllm

pytestmark = pytest.mark.anyio

PAIRS = [("What is it?", "A red field."), ("Which is brighter?", "The second."), ("What is it?", "No idea.")]
SEEN = [("red.png",), ("dark.png", "light.jpeg"), ()]
"""The images that each prompt is about."""


def draw(name: str) -> bytes:
    """An image whose parts differ."""
    grid = np.indices((40, 56)).sum(axis=0)
    shades = {"red.png": (grid + 150, grid, 0 * grid), "dark.png": (grid, grid, grid)}
    red, green, blue = shades.get(name, (250 - grid, 250 - 2 * grid, 200 + 0 * grid))
    file = io.BytesIO()
    Image.fromarray(np.stack([red, green, blue], axis=-1).astype(np.uint8)).save(file, name.partition(".")[2])
    return file.getvalue()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "vision", "vision")


@pytest.fixture(scope="module")
def vllm(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving_vllm(checkpoint, tmp_path_factory.mktemp("vllm") / "log") as server:
        yield server


@pytest.fixture
def batch() -> Batch:
    samples = batch_of(PAIRS)
    samples.images = [[Media(draw(name)) for name in names] for names in SEEN]
    return samples


@pytest.fixture(scope="module")
def torch_says(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """[n, 1] logits, of conversations whose first message begins with its images."""
    folder = tmp_path_factory.mktemp("images")
    for name in {name for names in SEEN for name in names}:
        (folder / name).write_bytes(draw(name))
    files = [[str(folder / name) for name in names] for names in SEEN]
    chats = [
        [
            {"role": "user", "content": [*({"type": "image"} for _ in names), {"type": "text", "text": prompt}]},
            {"role": "assistant", "content": [{"type": "text", "text": response}]},
        ]
        for (prompt, response), names in zip(PAIRS, SEEN, strict=True)
    ]
    return np.array(ask_torch([{"checkpoint": str(checkpoint), "messages": chats, "images": files}])[0])


def entry(vllm: Server, protocol: str, **more: Any) -> dict[str, Any]:
    """Of a file of upstreams."""
    return {"protocol": protocol, "urls": [vllm.url], "model": "rm", "input": "messages", **more}


@pytest.mark.parametrize("protocol", ["vllm_classify", "vllm_pooling"])
async def test_images_are_seen_in_their_places(
    vllm: Server, batch: Batch, torch_says: Any, tmp_path: Path, protocol: str
) -> None:
    async with upstream(tmp_path, **entry(vllm, protocol, images=True)) as server:
        answer = await ask_batch(server, batch)
        assert answer.invalid == {}
        assert np.allclose(answer.values, torch_says, atol=CLOSE)


async def test_other_images_are_another_score(vllm: Server, batch: Batch, torch_says: Any, tmp_path: Path) -> None:
    async with upstream(tmp_path, **entry(vllm, "vllm_classify", images=True)) as server:
        assert batch.images is not None
        batch.images[1] = [*reversed(batch.images[1] or [])]
        answer = await ask_batch(server, batch)
        assert np.abs(answer.values - torch_says)[1] > 0.01
        assert np.allclose(answer.values[[0, 2]], torch_says[[0, 2]], atol=CLOSE)


async def test_an_image_that_is_none_is_refused_and_no_other(
    vllm: Server, batch: Batch, torch_says: Any, tmp_path: Path
) -> None:
    async with upstream(tmp_path, **entry(vllm, "vllm_classify", images=True)) as server:
        assert batch.images is not None
        batch.images[0] = [Media(b"no image")]
        answer = await ask_batch(server, batch)
        assert {row: reason.code for row, reason in answer.invalid.items()} == {0: "invalid_field"}
        assert np.allclose(answer.values[1:], torch_says[1:], atol=CLOSE)
