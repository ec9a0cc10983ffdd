"""Text heads: how often the preferred response of a held-out pair scores higher, beside a rule of length.

The pairs are those of training (:mod:`reward_models.train.data`), of which a fifth, or half of the probes, was never
trained on. Measured in both directions: refusing what is harmful, answering what only looks so.
"""

from functools import partial
from pathlib import Path

from reward_models.evaluate.part import Entry, Part
from reward_models.evaluate.subject import Subject
from reward_models.train.data import SOURCES, Origin, length_rule


def list_parts(subject: Subject) -> list[Part]:
    """A part for each source that the card's ``quality`` names."""
    return [
        Part(name, partial(held_out, subject, origin), {"held_out": f"{origin.rule}_wins_held_out"}, needs=origin.needs)
        for name, origin in SOURCES.items()
        if name in subject.quality
    ]


def held_out(subject: Subject, origin: Origin, data: Path | None) -> Entry:
    """Accuracy on the held-out pairs; equal scores are no win."""
    pairs = [pair for pair in origin.pairs(data) if pair.held_out]
    prompts = [pair.prompt for pair in pairs for _ in range(2)]
    scores = subject.require_scores(prompt=prompts, response=[text for p in pairs for text in (p.better, p.worse)])[
        :, 0
    ]
    return {
        "held_out": round(float((scores[0::2] > scores[1::2]).mean()), 3),
        f"{origin.rule}_wins_held_out": round(length_rule(pairs, origin.rule), 3),
        "pairs": len(pairs),
    }
