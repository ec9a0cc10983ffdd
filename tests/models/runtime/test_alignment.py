"""Images against prompts: the same score in any company, and a bad image alone in its error."""

import io
from collections.abc import Callable

import msgpack
import numpy as np
import pytest
from PIL import Image
from reward_models.runtime.alignment import AlignmentScorer
from reward_models.runtime.instance import Instance
from reward_models.runtime.rows import Columns


@pytest.fixture(scope="module")
def scorer(start: Callable[[str], Instance]) -> AlignmentScorer:
    return AlignmentScorer(start("image_text_alignment"), remembered=0)


def picture(seed: int) -> bytes:
    dice = np.random.default_rng(seed)
    coarse = Image.fromarray(dice.integers(0, 256, (6, 7, 3), np.uint8))
    buffer = io.BytesIO()
    coarse.resize((140 + 20 * seed, 300), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


def columns(rows: list[tuple[str, list[bytes]]]) -> Columns:
    return {"prompt": [p.encode() for p, _ in rows], "images": [msgpack.packb(images) for _, images in rows]}


ROWS = [
    (prompt, [picture(seed)]) for seed, prompt in enumerate(["a cat", "a bus in the rain", "x " * 200, "椅子", "a"])
]


def test_a_row_has_the_same_score_in_any_batch_and_order(scorer: AlignmentScorer) -> None:
    alone = np.array([scorer.score(columns([row]), 1).scores[0] for row in ROWS])
    together = scorer.score(columns(ROWS[::-1]), len(ROWS))
    np.testing.assert_allclose(together.scores[::-1], alone, atol=1e-5, rtol=0)
    assert together.flags[::-1].tolist() == [0, 0, 1, 0, 0]
    assert np.all(np.abs(alone) <= 1)


def test_several_images_count_by_their_mean(scorer: AlignmentScorer) -> None:
    one, two = (scorer.score(columns([("a cat", [picture(seed)])]), 1).scores[0, 0] for seed in (0, 1))
    both = scorer.score(columns([("a cat", [picture(0), picture(1)])]), 1).scores[0, 0]
    assert both == pytest.approx((one + two) / 2, abs=1e-5)


def test_a_row_that_cannot_be_read_is_alone_in_its_error(scorer: AlignmentScorer) -> None:
    rows = [("a cat", [b"broken"]), ROWS[0], ("", [picture(0)]), ("a cat", [])]
    answer = scorer.score(columns(rows), 4)
    assert {row: why.partition(":")[0] for row, why in answer.errors.items()} == {
        0: "invalid_media",
        2: "missing_field",
        3: "missing_field",
    }
    assert np.isfinite(answer.scores[:, 0]).tolist() == [False, True, False, False]
