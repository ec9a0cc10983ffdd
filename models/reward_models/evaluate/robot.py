"""robot_progress on episodes, words and tasks that it was never trained on; the data is robot_episodes' own.

The baseline knows the task and the clock and sees nothing: the mean progress of the trained episodes of that task
around the same control step. ``sample`` needs no data: it is a handful of frames that lie beside this module.
"""

from functools import partial
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from reward_models.evaluate.part import Entry, Missing, Part
from reward_models.evaluate.subject import Subject
from reward_models.train.popularity import area_under_curve
from reward_models.train.robot_tasks import HELD_OUT, INSTRUCTIONS, KNOWN, disturb_frames, load_episodes

Array = NDArray[np.float64]
SAMPLE = Path(__file__).with_name("episodes.msgpack")
SOLVED = 0.5
APART = 0.05
"""Frames of one task are a pair if their progress differs by at least this much."""
AROUND = 8.0
"""Control steps over which the clock's mean is smoothed (a standard deviation)."""


def list_parts(subject: Subject) -> list[Part]:
    """Unseen episodes, in trained words and in others; other tasks' instructions; unseen tasks; the sample."""
    clock = {"mae": "clock_mae", "pair_accuracy": "clock_pair_accuracy", "success_auc": "clock_success_auc"}
    bare = dict.fromkeys(clock)
    return [
        Part("unseen_episodes", partial(measure_unseen, subject), clock, count="episodes"),
        Part("paraphrases", partial(measure_paraphrases, subject), bare | {"false_alarms": None}, count="episodes"),
        Part("disturbed_frames", partial(measure_disturbed, subject), bare, count="episodes"),
        Part(
            "other_instructions",
            partial(measure_other_instructions, subject),
            {"own_wins": 0.5, "mean_progress": None},
            "frames",
        ),
        Part("unseen_tasks", partial(measure_unseen_tasks, subject), bare | {"missed": None}, count="episodes"),
        Part("sample", partial(measure_sample, subject), {"mae": None, "pair_accuracy": 0.5}, count="frames"),
    ]


def measure_unseen(subject: Subject, data: Path | None) -> Entry:
    """Unseen episodes of known tasks, beside the clock, and how the threshold of success does."""
    shown = load_stored(data, KNOWN, unseen=True)
    found = score_frames(subject, shown, phrase=0)
    blind = predict_by_clock(load_stored(data, KNOWN, unseen=False), shown)
    beside = {f"clock_{name}": value for name, value in compute_figures(shown, blind[:, 0], blind[:, 1]).items()}
    said, true = found[:, 1] >= SOLVED, flatten_values(shown, "solved").astype(bool)
    return {
        **compute_figures(shown, found[:, 0], found[:, 1]),
        **beside,
        "success_precision": round(float(true[said].mean()), 3),
        "success_recall": round(float(said[true].mean()), 3),
        "episodes": len(shown),
    }


def measure_paraphrases(subject: Subject, data: Path | None) -> Entry:
    """The same episodes under each task's third phrase, not trained on; how often that is taken for unknown, of the
    tasks on which the bar was not set."""
    shown = load_stored(data, KNOWN, unseen=True)
    found = score_frames(subject, shown, phrase=2)
    alarms = share_flagged(subject, shown, [INSTRUCTIONS[task][2] for task in KNOWN[1::2]])
    return {**compute_figures(shown, found[:, 0], found[:, 1]), "false_alarms": alarms, "episodes": len(shown)}


def measure_disturbed(subject: Subject, data: Path | None) -> Entry:
    """The same episodes at another size, in another light, and encoded again."""
    shown = [{**episode, "frames": disturb_frames(episode)} for episode in load_stored(data, KNOWN, unseen=True)]
    found = score_frames(subject, shown, phrase=0)
    return {**compute_figures(shown, found[:, 0], found[:, 1]), "episodes": len(shown)}


def measure_other_instructions(subject: Subject, data: Path | None) -> Entry:
    """Solved frames beside the instruction of another task: how often their own has the higher progress."""
    shown = load_stored(data, KNOWN, unseen=True)
    solved = flatten_values(shown, "solved").astype(bool)
    own = score_frames(subject, shown, phrase=0)[solved, 0]
    others = [{**episode, "task": KNOWN[(KNOWN.index(episode["task"]) + 17) % len(KNOWN)]} for episode in shown]
    other = score_frames(subject, others, phrase=0)[solved, 0]
    wins = round(float((own > other).mean()), 3)
    return {"own_wins": wins, "mean_progress": round(float(other.mean()), 3), "frames": int(solved.sum())}


def measure_unseen_tasks(subject: Subject, data: Path | None) -> Entry:
    """Tasks that were never trained on, and the share of their phrases that pass for known."""
    shown = load_stored(data, HELD_OUT, unseen=True) + load_stored(data, HELD_OUT, unseen=False)
    found = score_frames(subject, shown, phrase=0)
    missed = 1.0 - share_flagged(subject, shown, [phrase for task in HELD_OUT for phrase in INSTRUCTIONS[task]])
    return {**compute_figures(shown, found[:, 0], found[:, 1]), "missed": round(missed, 3), "episodes": len(shown)}


def measure_sample(subject: Subject, data: Path | None) -> Entry:
    """The committed frames; ``data`` is not used."""
    shown = load_sample()
    found = score_frames(subject, shown, phrase=0)
    kept = compute_figures(shown, found[:, 0], found[:, 1])
    return {"mae": kept["mae"], "pair_accuracy": kept["pair_accuracy"], "frames": len(found)}


def load_sample() -> list[dict[str, Any]]:
    """The committed episodes: a few frames of each, of the unseen."""
    shown: list[dict[str, Any]] = msgpack.unpackb(SAMPLE.read_bytes())
    return shown


def load_stored(data: Path | None, tasks: tuple[str, ...], *, unseen: bool) -> list[dict[str, Any]]:
    """Episodes of the data folder. Raises Missing if it has none."""
    try:
        return load_episodes(data or Path("."), tasks, unseen)
    except FileNotFoundError:
        raise Missing("the episodes that reward_models.train.robot_episodes makes") from None


def flatten_values(shown: list[dict[str, Any]], name: str) -> Array:
    """One value per frame, over all episodes."""
    return np.concatenate([np.asarray(episode[name], np.float64) for episode in shown])


def score_frames(subject: Subject, shown: list[dict[str, Any]], phrase: int) -> Array:
    """Scores of every frame of episodes, [frames, 3], each beside the first frame of its episode."""
    pairs = [(episode["frames"][0], frame) for episode in shown for frame in episode["frames"]]
    prompts = [INSTRUCTIONS[episode["task"]][phrase] for episode in shown for _ in episode["frames"]]
    return subject.require_scores(prompt=prompts, frames=[msgpack.packb(pair) for pair in pairs])


def share_flagged(subject: Subject, shown: list[dict[str, Any]], prompts: list[str]) -> float:
    """The share of instructions that are flagged as unknown; it does not depend on the frames."""
    frame = msgpack.packb([shown[0]["frames"][0]])
    flags = subject.score_columns(prompt=prompts, frames=[frame] * len(prompts)).flags
    bit = 1 << list(subject.card.content["flags"]).index("out_of_distribution")
    return round(float((flags & bit > 0).mean()), 3)


def predict_by_clock(trained: list[dict[str, Any]], shown: list[dict[str, Any]]) -> Array:
    """Progress and success [frames, 2] by the task and the control step alone."""
    found = []
    for episode in shown:
        same = [other for other in trained if other["task"] == episode["task"]]
        steps, progress, solved = (flatten_values(same, name) for name in ("moments", "progress", "solved"))
        for moment in episode["moments"]:
            near = np.exp(-0.5 * ((steps - moment) / AROUND) ** 2) + 1e-9
            found.append([near @ progress / near.sum(), near @ solved / near.sum()])
    return np.array(found)


def compute_figures(shown: list[dict[str, Any]], progress: Array, success: Array) -> Entry:
    """Mean absolute error, accuracy of pairs of frames within a task, and area under the curve of success."""
    true, solved = flatten_values(shown, "progress"), flatten_values(shown, "solved").astype(bool)
    tasks = np.array([episode["task"] for episode in shown for _ in episode["progress"]])
    right = pairs = 0
    for task in np.unique(tasks):
        own = tasks == task
        further = true[own][:, None] - true[own] >= APART
        right += int((progress[own][:, None] > progress[own])[further].sum())
        pairs += int(further.sum())
    return {
        "mae": round(float(np.abs(progress - true).mean()), 3),
        "pair_accuracy": round(right / pairs, 3),
        "success_auc": round(area_under_curve(success, solved), 3),
    }
