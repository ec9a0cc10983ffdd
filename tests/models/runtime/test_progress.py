"""Frames against instructions: a frame is encoded once, and a row has the same score in any company."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import msgpack
import numpy as np
import pytest
from PIL import Image
from reward_models.evaluate.robot import load_sample
from reward_models.runtime.instance import Instance
from reward_models.runtime.progress import ProgressScorer, compute_rating
from reward_models.runtime.rows import Columns
from reward_models.train.robot_tasks import HELD_OUT, INSTRUCTIONS

EPISODES = load_sample()
Row = tuple[str, list[bytes]]


@pytest.fixture(scope="module")
def scorer(start: Callable[[str], Instance]) -> ProgressScorer:
    return ProgressScorer(start("robot_progress"))


@pytest.fixture(scope="module")
def forgetful(start: Callable[[str], Instance]) -> ProgressScorer:
    """A scorer that keeps no frame."""
    return ProgressScorer(start("robot_progress"), remembered=0)


def columns(rows: list[Row]) -> Columns:
    return {"prompt": [p.encode() for p, _ in rows], "frames": [msgpack.packb(frames) for _, frames in rows]}


def steps(episode: dict[str, Any]) -> list[Row]:
    """An episode as a control loop asks: the first frame and each of the others."""
    frames = episode["frames"]
    return [(INSTRUCTIONS[episode["task"]][0], [frames[0], frame]) for frame in frames]


ROWS = [row for episode in EPISODES for row in steps(episode)]


def test_a_row_has_the_same_score_in_any_batch_and_order(forgetful: ProgressScorer, scorer: ProgressScorer) -> None:
    alone = np.array([forgetful.score(columns([row]), 1).scores[0] for row in ROWS])
    together = forgetful.score(columns(ROWS[::-1]), len(ROWS)).scores[::-1]
    np.testing.assert_allclose(together, alone, atol=1e-5, rtol=0)
    np.testing.assert_allclose(scorer.score(columns(ROWS), len(ROWS)).scores, alone, atol=1e-5, rtol=0)


def test_a_frame_is_encoded_once_however_often_it_is_asked_for(
    start: Callable[[str], Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = ProgressScorer(start("robot_progress"))
    seen: list[int] = []
    maps = scorer.eye.compute_maps

    def counted(pixels: Sequence[Any]) -> Any:
        seen.append(len(pixels))
        return maps(pixels)

    monkeypatch.setattr(scorer.eye, "compute_maps", counted)
    for row in steps(EPISODES[0]):
        scorer.score(columns([row]), 1)
    assert seen == [1] * len(EPISODES[0]["frames"])


def test_progress_rises_in_an_episode_that_ends_well_and_not_in_one_that_breaks_off(scorer: ProgressScorer) -> None:
    for episode in EPISODES:
        first, *_, last = scorer.score(columns(steps(episode)), len(episode["frames"])).scores
        assert abs(last[0] - episode["progress"][-1]) < 0.25
        assert (last[0] - first[0] > 0.4) == episode["solved"][-1]


def test_only_the_first_and_the_last_frame_count_and_one_frame_is_both(scorer: ProgressScorer) -> None:
    prompt, [first, last] = steps(EPISODES[0])[-1]
    rows: list[Row] = [(prompt, [first, b"not looked at", last]), (prompt, [first, last])]
    rows += [(prompt, [last]), (prompt, [last, last])]
    scores = scorer.score(columns(rows), 4).scores
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
    assert scores[2] == pytest.approx(scores[3], abs=1e-6)
    assert scores[0] != pytest.approx(scores[2], abs=1e-3)


def test_an_instruction_that_is_like_none_it_knows_is_flagged(scorer: ProgressScorer) -> None:
    strange = ["fold the towel twice", "what is the capital of France?", INSTRUCTIONS["hammer-v3"][0]]
    known = [INSTRUCTIONS[episode["task"]][0] for episode in EPISODES]
    assert "hammer-v3" in HELD_OUT
    frame = EPISODES[0]["frames"][:1]
    answer = scorer.score(columns([(prompt, frame) for prompt in strange + known]), len(strange + known))
    assert (answer.flags & 2 > 0).tolist() == [True] * len(strange) + [False] * len(known)
    assert np.isfinite(answer.scores).all()


def test_a_frame_of_another_size_and_format_is_read_too(scorer: ProgressScorer) -> None:
    prompt, [first, last] = steps(EPISODES[0])[-1]
    buffer = io.BytesIO()
    Image.open(io.BytesIO(last)).resize((448, 448), Image.Resampling.BICUBIC).save(buffer, "PNG")
    scores = scorer.score(columns([(prompt, [first, last]), (prompt, [first, buffer.getvalue()])]), 2).scores
    assert scores[1, 0] == pytest.approx(scores[0, 0], abs=0.1)


def test_a_row_that_cannot_be_read_is_alone_in_its_error(scorer: ProgressScorer) -> None:
    prompt, frames = ROWS[0]
    rows: list[Row] = [(prompt, [b"broken", *frames]), ROWS[1], (" ", frames), (prompt, []), (prompt, [*frames, b""])]
    answer = scorer.score(columns(rows), len(rows))
    codes = {row: why.partition(":")[0] for row, why in answer.errors.items()}
    assert codes == {0: "invalid_media", 2: "missing_field", 3: "missing_field", 4: "invalid_media"}
    assert answer.errors[0].startswith("invalid_media: frames[0]: ")
    assert answer.errors[4].startswith(f"invalid_media: frames[{len(frames)}]: ")
    assert np.isfinite(answer.scores[:, 0]).tolist() == [False, True, False, False, False]


def test_the_rating_is_five_if_solved_and_from_one_to_four_if_not() -> None:
    progress, success = np.array([0.0, 1.0, 0.3, 0.5]), np.array([0.0, 0.0, 1.0, 0.5])
    assert compute_rating(progress, success).tolist() == [1.0, 4.0, 5.0, 3.75]
