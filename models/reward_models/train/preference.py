"""Train the head of a text reward model on a mixture, and measure it in both directions.

    python -m reward_models.train.preference text_harmless --data DIR

Writes ``1/head.npz`` and ``evaluation.json`` into the model's folder and the head's hash into its card. Every
source is split by group; the committed head has seen the training part alone, so that the held-out figures are
its own. Cross-validated figures (mean and standard deviation over 3 x 5 folds) stand beside them.
"""

import argparse
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_models.build import REPOSITORY, stamp
from reward_models.build import card as cards
from reward_models.build.files import sha256
from reward_models.runtime.encoder import Encoded
from reward_models.runtime.features import BLOCKS, WIDTH, Axes, features
from reward_models.runtime.preference import Reader
from reward_models.runtime.session import Device
from reward_models.train import data
from reward_models.train.data import FOLDS, Pair
from reward_models.train.fit import Array, Pairs, accuracy, bradley_terry

SEEDS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Source:
    """Pairs of one origin: what they count in training, and the length rule that they are compared with."""

    pairs: list[Pair]
    weight: float
    rule: str = "longer"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a head is trained: its sources (the main one first), the prior of each block of features, the strength of
    the penalty, and how many axes its crossed block has."""

    sources: dict[str, Source]
    priors: dict[str, float]
    strength: float
    axes: int = 0


def recipe(name: str, folder: Path) -> Recipe:
    """The recipe of a model. Raises KeyError for a model that this script does not train."""
    panda = data.pandalm(folder)
    benign, harmful = data.probes("benign"), data.probes("harmful")
    benign_long, harmful_short = data.lengthened("benign"), data.lengthened("harmful")
    return {
        "text_harmless": lambda: Recipe(
            {
                "hh_harmless": Source(data.hh_harmless(folder), 1.0, "shorter"),
                "benign_but_scary": Source(benign, 6.0),
                "benign_long_refusal": Source(benign_long, 1.0),
                "harmful": Source(harmful, 4.0),
                "harmful_short_refusal": Source(harmful_short, 2.0),
                "answers_over_refusals": Source(data.answered(panda), 0.2),
            },
            {"response": 1.0, "crossed": 0.5},
            500.0,
            axes=32,
        ),
        "text_preference": lambda: Recipe(
            {
                "pandalm": Source(panda, 1.0),
                "benign_but_scary": Source(benign, 1.0),
                "benign_long_refusal": Source(benign_long, 0.25),
                "on_topic": Source(data.off_topic(panda), 0.05),
                "not_degenerate": Source(data.degenerate(panda), 0.1),
                "answers_over_refusals": Source(data.answered(panda), 0.05),
                "harmful": Source(harmful, 0.0),
            },
            {"statistics": 1.0, "similarity": 1.0, "response": 0.02},
            3.0,
        ),
    }[name]()


@dataclass(slots=True)
class Mixture:
    """Every source as feature differences, with its groups and its held-out part."""

    pairs: dict[str, Pairs]
    groups: dict[str, list[str]]
    held_out: dict[str, NDArray[np.bool_]]
    mean: Array
    axes: Axes | None
    blocks: dict[str, slice] = field(default_factory=dict)

    @classmethod
    def encode(cls, made: Recipe, reader: Reader) -> "Mixture":
        """Encode every text once."""
        rows = [(p.prompt, text) for s in made.sources.values() for p in s.pairs for text in (p.better, p.worse)]
        prompts, responses = reader.read([prompt for prompt, _ in rows], [text for _, text in rows])
        axes = cls.find_axes(made, prompts, responses) if made.axes else None
        found = features(reader.names, prompts, responses, axes).astype(np.float64)
        mixture = cls({}, {}, {}, found.mean(0), axes)
        start = 0
        for name in reader.names:
            width = BLOCKS[name](first_row(prompts), first_row(responses), axes).shape[1]
            mixture.blocks[name] = slice(start, start + width)
            start += width
        start = 0
        for name, source in made.sources.items():
            part = found[start : start + 2 * len(source.pairs)]
            mixture.pairs[name] = Pairs.of(part[0::2] - part[1::2], source.weight)
            mixture.groups[name] = [pair.group for pair in source.pairs]
            mixture.held_out[name] = np.array([pair.held_out for pair in source.pairs])
            start += len(part)
        return mixture

    @staticmethod
    def find_axes(made: Recipe, prompts: Encoded, responses: Encoded) -> Axes:
        """Principal axes of the main source's training part, scaled to unit variance."""
        main = next(iter(made.sources.values())).pairs
        rows = np.repeat([not pair.held_out for pair in main], 2)
        parts: list[NDArray[np.float32]] = []
        for column in (prompts, responses):
            x = column.embeddings[: len(rows), -WIDTH:][rows].astype(np.float64)
            mean = x.mean(0)
            _, spread, directions = np.linalg.svd(x - mean, full_matrices=False)
            axes = directions[: made.axes].T / (spread[: made.axes] / np.sqrt(len(x)))
            parts += [mean.astype(np.float32), axes.astype(np.float32)]
        return Axes(*parts)

    def fit(self, made: Recipe, chosen: dict[str, NDArray[np.bool_]]) -> Array:
        """The head's weights from some rows of each source."""
        sources = [self.pairs[name].take(rows) for name, rows in chosen.items() if made.sources[name].weight > 0]
        main = self.pairs[next(iter(made.sources))].differences
        scale = 1.0 / (main.std(0) + 1e-6)
        for name, block in self.blocks.items():
            scale[block] *= made.priors[name]
        return bradley_terry(sources, scale, made.strength)


def first_row(encoded: Encoded) -> Encoded:
    """The first row of an encoded column, to learn the width of a block."""
    return Encoded(encoded.embeddings[:1], encoded.rows[:1], encoded.truncated[:1])


def length_rule(source: Source, rows: NDArray[np.bool_]) -> float:
    """How often the longer (or shorter) response is the better one; a tie counts half."""
    pairs = [pair for pair, chosen in zip(source.pairs, rows, strict=True) if chosen]
    signs = np.sign([len(pair.better) - len(pair.worse) for pair in pairs])
    return float(np.mean((signs if source.rule == "longer" else -signs) / 2 + 0.5))


def evaluate(made: Recipe, mixture: Mixture, weights: Array) -> dict[str, Any]:
    """Held-out and cross-validated accuracy of every source, each beside its length rule."""
    report: dict[str, Any] = {}
    scores: dict[str, list[float]] = {name: [] for name in made.sources}
    rules: dict[str, list[float]] = {name: [] for name in made.sources}
    for seed in SEEDS:
        folds = {n: np.array([data.fold(group, seed + 1) for group in mixture.groups[n]]) for n in made.sources}
        for index in range(FOLDS):
            fitted = mixture.fit(made, {name: numbers != index for name, numbers in folds.items()})
            for name, numbers in folds.items():
                rows = numbers == index
                scores[name].append(accuracy(mixture.pairs[name].take(rows), fitted))
                rules[name].append(length_rule(made.sources[name], rows))
    for name, source in made.sources.items():
        rows = mixture.held_out[name]
        gains = np.array(scores[name]) - np.array(rules[name])
        report[name] = {
            "trained_on": int((~rows).sum()) if source.weight > 0 else 0,
            "weight": source.weight,
            "held_out": {
                "pairs": int(rows.sum()),
                "accuracy": round(accuracy(mixture.pairs[name].take(rows), weights), 4),
                f"{source.rule}_wins": round(length_rule(source, rows), 4),
            },
            "cross_validated": {
                "accuracy": round(float(np.mean(scores[name])), 4),
                "std": round(float(np.std(scores[name])), 4),
                f"{source.rule}_wins": round(float(np.mean(rules[name])), 4),
                "gain": round(float(gains.mean()), 4),
                "gain_std": round(float(gains.std()), 4),
            },
        }
    return report


def train(name: str, folder: Path, repository: Path) -> dict[str, Any]:
    """Train, measure and write the head of a model; returns its evaluation."""
    model = repository / name
    card = cards.read(model)
    made = recipe(name, folder)
    mixture = Mixture.encode(made, Reader(model / cards.VERSION_FOLDER, card.content["settings"], Device()))
    weights = mixture.fit(made, {source: ~rows for source, rows in mixture.held_out.items()})
    # Only differences matter; the offset puts the mean of the training texts near zero.
    bias = -float(mixture.mean @ weights)
    head = model / cards.VERSION_FOLDER / "head.npz"
    axes = asdict(mixture.axes) if mixture.axes else {}
    np.savez(head, w0=weights[:, None].astype(np.float32), b0=np.array([bias], np.float32), **axes)
    hashes = {file: sha256(folder / file) for file in (data.HH, data.PANDALM)}
    hashes |= {path.name: sha256(path) for path in (data.PROBES, data.REFUSALS)}
    report = {"sources": evaluate(made, mixture, weights), "data_sha256": hashes, "head_sha256": sha256(head)}
    (model / "evaluation.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    note(model / cards.CARD, report)
    stamp(name, repository)
    return report


def note(card: Path, report: dict[str, Any]) -> None:
    """Write the head's hash and the figures into the card, and leave the rest of it as it is."""
    text = card.read_text("utf-8")
    text = re.sub(r"(head\.npz:\s+sha256: )\S+", rf"\g<1>{report['head_sha256']}", text)
    lines = [f"  {name}: {{{figures(entry)}}}\n" for name, entry in report["sources"].items()]
    card.write_text(re.sub(r"^quality:[^\n]*\n(?: [^\n]*\n)*", "quality:\n" + "".join(lines), text, flags=re.MULTILINE))


def figures(entry: dict[str, Any]) -> str:
    """The figures of a source as a card shows them: accuracies, and the length rule on the same pairs."""
    held_out, crossed = entry["held_out"], entry["cross_validated"]
    rule = next(key for key in held_out if key.endswith("_wins"))
    shown = {
        "held_out": held_out["accuracy"],
        f"{rule}_held_out": held_out[rule],
        "pairs": held_out["pairs"],
        "cross_validated": crossed["accuracy"],
        "std": crossed["std"],
        f"{rule}_cross_validated": crossed[rule],
    }
    return ", ".join(f"{key}: {round(value, 3)}" for key, value in shown.items())


def main() -> None:
    """Train one model and print its figures."""
    parser = argparse.ArgumentParser(description="Train the head of a text reward model.")
    parser.add_argument("name", choices=["text_harmless", "text_preference"])
    parser.add_argument("--data", type=Path, required=True, help="the folder with the public data")
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    arguments = parser.parse_args()
    print(json.dumps(train(arguments.name, arguments.data, arguments.repository)["sources"], indent=1))


if __name__ == "__main__":
    main()
