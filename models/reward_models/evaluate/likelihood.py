"""language_model: the same numbers as torch, and a sense of what follows from what.

``torch`` compares the log-probability of every token with those that ``build.reference_smollm2`` wrote, made by an
implementation of the network that shares nothing with this one. ``continuations`` asks whether a text is likelier
after its own beginning than another's text is, and than its own words in disorder: chance is .5. Nothing is trained;
the texts are this project's own.
"""

import json
import random
from functools import partial
from pathlib import Path

import numpy as np

from reward_models.evaluate.part import Entry, Part
from reward_models.evaluate.subject import Subject

FOLDER = Path(__file__).resolve().parent
TEXTS, REFERENCE = FOLDER / "continuations.json", FOLDER / "likelihood_torch.json"
APART = 7
"""How far away in the list the other text is taken from."""


def list_parts(subject: Subject) -> list[Part]:
    """Both need no data."""
    shown: dict[str, str | float | None] = {"own_over_off_topic": 0.5, "off_topic_over_scrambled": 0.5}
    shown |= {"own_nll": "off_topic_nll", "off_topic_nll": "scrambled_nll"}
    return [
        Part("torch", partial(as_torch, subject), {"largest_difference": None}, count="tokens"),
        Part("continuations", partial(measure_continuations, subject), shown, count="texts"),
    ]


def read_texts() -> list[tuple[str, str]]:
    """Beginnings and what follows them."""
    return [(beginning, rest) for beginning, rest in json.loads(TEXTS.read_text("utf-8"))]


def scramble_words(text: str, seed: int) -> str:
    """The words of a text in another order."""
    words = text.split()
    random.Random(seed).shuffle(words)
    return " " + " ".join(words)


def as_torch(subject: Subject, data: Path | None) -> Entry:
    """The largest difference of a token's log-probability."""
    rows = json.loads(REFERENCE.read_text("utf-8"))
    answer = subject.score_columns(
        prompt=[row["context"] for row in rows], response=[row["continuation"] for row in rows]
    )
    expected = [np.array(row["logprobs"]) for row in rows]
    apart = [float(np.abs(a - b).max()) for a, b in zip(answer.vectors or [], expected, strict=True)]
    return {"largest_difference": round(max(apart), 5), "tokens": sum(map(len, expected))}


def measure_continuations(subject: Subject, data: Path | None) -> Entry:
    """Mean negative log-likelihoods a token of own, off-topic and scrambled texts, and how often the order holds."""
    pairs = read_texts()
    beginnings = [beginning for beginning, _ in pairs]
    kinds = {
        "own": [rest for _, rest in pairs],
        "off_topic": [pairs[(index + APART) % len(pairs)][1] for index in range(len(pairs))],
    }
    kinds["scrambled"] = [scramble_words(rest, seed) for seed, rest in enumerate(kinds["off_topic"])]
    mean = subject.card.dimensions.index("mean_logprob")
    nll = {
        kind: -subject.require_scores(prompt=beginnings, response=responses)[:, mean]
        for kind, responses in kinds.items()
    }
    figures = {f"{kind}_nll": round(float(values.mean()), 2) for kind, values in nll.items()}
    return figures | {
        "own_over_off_topic": round(float((nll["own"] < nll["off_topic"]).mean()), 3),
        "off_topic_over_scrambled": round(float((nll["off_topic"] < nll["scrambled"]).mean()), 3),
        "texts": len(pairs),
    }
