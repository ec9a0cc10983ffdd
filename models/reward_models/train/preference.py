"""Train the head of a MiniLM text reward model on a mixture, and measure it in both directions.

    python -m reward_models.train.preference text_harmless --data DIR

Writes ``1/head.npz`` and ``evaluation.json`` into the model's folder, the head's hash and the figures into its card.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reward_models.evaluate.part import Entry
from reward_models.evaluate.report import pin_head, write_figures
from reward_models.repository import REPOSITORY
from reward_models.repository import card as cards
from reward_models.repository.files import hash_file
from reward_models.runtime.encoder import Encoded
from reward_models.runtime.features import BLOCKS, WIDTH, concatenate_features
from reward_models.runtime.head import Axes
from reward_models.runtime.preference import Reader
from reward_models.runtime.session import Device
from reward_models.train import data
from reward_models.train.data import Pair
from reward_models.train.mixture import Mixture, Recipe, flatten_pairs

RECIPES = {
    "text_harmless": Recipe(
        {
            "hh_harmless": 1.0,
            "benign_but_scary": 6.0,
            "benign_long_refusal": 1.0,
            "harmful": 4.0,
            "harmful_short_refusal": 2.0,
            "answers_over_refusals": 0.2,
        },
        {"response": 1.0, "crossed": 0.5},
        500.0,
        axes=32,
    ),
    "text_preference": Recipe(
        {
            "pandalm": 1.0,
            "benign_but_scary": 1.0,
            "benign_long_refusal": 0.25,
            "on_topic": 0.05,
            "not_degenerate": 0.1,
            "answers_over_refusals": 0.05,
            "harmful": 0.0,
        },
        {"statistics": 1.0, "similarity": 1.0, "response": 0.02},
        3.0,
    ),
}


def encode_texts(recipe: Recipe, sources: dict[str, list[Pair]], reader: Reader) -> tuple[Mixture, Axes | None]:
    """Encode every text once; the mixture, and the axes that its crossed block projects onto."""
    prompts, responses = reader.encode_columns(*flatten_pairs(sources))
    axes = find_axes(recipe, sources, prompts, responses) if recipe.axes else None
    found = concatenate_features(reader.names, prompts, responses, axes).astype(np.float64)
    blocks, start = {}, 0
    for name in reader.names:
        width = BLOCKS[name](first_row(prompts), first_row(responses), axes).shape[1]
        blocks[name] = slice(start, start + width)
        start += width
    return Mixture(recipe, sources, found, blocks), axes


def find_axes(recipe: Recipe, sources: dict[str, list[Pair]], prompts: Encoded, responses: Encoded) -> Axes:
    """Principal axes of the main source's training part, scaled to unit variance."""
    some = np.repeat([not pair.held_out for pair in next(iter(sources.values()))], 2)
    parts: list[NDArray[np.float32]] = []
    for column in (prompts, responses):
        x = column.embeddings[: len(some), -WIDTH:][some].astype(np.float64)
        mean = x.mean(0)
        _, spread, directions = np.linalg.svd(x - mean, full_matrices=False)
        axes = directions[: recipe.axes].T / (spread[: recipe.axes] / np.sqrt(len(x)))
        parts += [mean.astype(np.float32), axes.astype(np.float32)]
    return Axes(*parts)


def first_row(encoded: Encoded) -> Encoded:
    """The first row of an encoded column, to learn the width of a block."""
    return Encoded(encoded.embeddings[:1], encoded.rows[:1], encoded.truncated[:1])


def train_head(name: str, folder: Path, repository: Path) -> dict[str, Entry]:
    """Train, measure and write the head of a model; returns its figures."""
    model = repository / name
    recipe = RECIPES[name]
    reader = Reader(model / cards.VERSION_FOLDER, cards.read_card(model).content["settings"], Device())
    mixture, axes = encode_texts(recipe, recipe.load_pairs(folder), reader)
    weights = mixture.fit_final()
    # Only differences matter; the offset puts the mean of the training texts near zero.
    bias = -float(mixture.features.mean(0) @ weights)
    head = model / cards.VERSION_FOLDER / "head.npz"
    kept_axes = asdict(axes) if axes else {}
    np.savez(head, w0=weights[:, None].astype(np.float32), b0=np.array([bias], np.float32), **kept_axes)
    pin_head(model, hash_file(head))
    found = mixture.compute_figures(weights)
    write_figures(
        model, found, training=mixture.describe_training(), data_sha256=hash_data(folder), head_sha256=hash_file(head)
    )
    return found


def hash_data(folder: Path) -> dict[str, str]:
    """SHA-256 of what the heads are trained on."""
    files = (folder / data.HH, folder / data.PANDALM, data.PROBES, data.REFUSALS)
    return {path.name: hash_file(path) for path in files}


def main() -> None:
    """Train one model and print its figures."""
    parser = argparse.ArgumentParser(description="Train the head of a text reward model.")
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--data", type=Path, required=True, help="the folder with the public data")
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    arguments = parser.parse_args()
    print(json.dumps(train_head(arguments.name, arguments.data, arguments.repository), indent=1))


if __name__ == "__main__":
    main()
