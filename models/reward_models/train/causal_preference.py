"""Train the head of a SmolLM2 text reward model on a mixture, and measure it in both directions.

    python -m reward_models.train.causal_preference text_harmless_smollm2 --data DIR --states FILE

Reading some 7,900 texts takes an hour of one core, so that their states are kept in FILE (npz) as they are read, and
read from there by the next run. Writes ``1/head.npz`` and ``evaluation.json`` into the model's folder, the head's hash
and the figures into its card.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reward_models.evaluate.part import Entry
from reward_models.evaluate.report import pin_head, write_figures
from reward_models.repository import REPOSITORY
from reward_models.repository import card as cards
from reward_models.repository.files import hash_file
from reward_models.runtime.causal_preference import BLOCKS, CausalReader, Pair, concatenate_features
from reward_models.runtime.session import Device
from reward_models.runtime.states import States
from reward_models.train import mixture as mixtures
from reward_models.train.mixture import Mixture, Recipe
from reward_models.train.preference import hash_data

AT_ONCE = 200
"""Texts that are read before the file of states is written again."""


RECIPES = {
    "text_harmless_smollm2": Recipe(
        {
            "hh_harmless": 1.0,
            "benign_but_scary": 6.0,
            "benign_long_refusal": 1.0,
            "harmful": 4.0,
            "harmful_short_refusal": 2.0,
            "answers_over_refusals": 0.1,
        },
        {"mean": 1.0, "paced": 1.0, "last": 1.0},
        1000.0,
        hessian=False,
    ),
    "text_preference_smollm2": Recipe(
        {
            "pandalm": 1.0,
            "benign_but_scary": 1.0,
            "benign_long_refusal": 0.25,
            "on_topic": 0.05,
            "not_degenerate": 0.1,
            "answers_over_refusals": 0.05,
            "harmful": 0.0,
        },
        {"statistics": 1.0, "mean": 0.05, "last": 0.05},
        3.0,
        hessian=False,
    ),
}


def exchange_key(prompt: str, response: str) -> str:
    """A name for an exchange in the file of states."""
    return hashlib.blake2b(f"{prompt}\x00{response}".encode(), digest_size=16).hexdigest()


def read_states_cached(reader: CausalReader, keys: list[str], pairs: list[Pair], file: Path) -> States:
    """States of every row: from the file, or read now and kept in it (half precision is enough to train on)."""
    known: dict[str, tuple[NDArray[np.float16], NDArray[np.float16]]] = {}
    if file.is_file():
        with np.load(file) as held:
            known = {name: (m, s) for name, m, s in zip(held["keys"], held["mean"], held["last"], strict=True)}
    lacking = {name: pair for name, pair in zip(keys, pairs, strict=True) if name not in known}
    # Answers to one question lie together, so that the question is read once.
    order = sorted(lacking, key=lambda name: (len(lacking[name][0]), lacking[name]))
    for start in range(0, len(order), AT_ONCE):
        some = order[start : start + AT_ONCE]
        found = reader.read_states([lacking[name] for name in some])
        known |= {
            n: (m.astype(np.float16), s.astype(np.float16))
            for n, m, s in zip(some, found.mean, found.last, strict=True)
        }
        write_states(file, known)
        print(f"{min(start + AT_ONCE, len(order))} of {len(order)} texts read", file=sys.stderr)
    rows = [known[name] for name in keys]
    return States(*(np.stack(side).astype(np.float32) for side in zip(*rows, strict=True)))


def write_states(file: Path, known: dict[str, tuple[NDArray[np.float16], NDArray[np.float16]]]) -> None:
    """Write the file of states, whole or not at all."""
    draft = file.with_name(f".{file.name}.npz")
    means, lasts = zip(*known.values(), strict=True)
    np.savez(draft, keys=np.array(list(known)), mean=np.stack(means), last=np.stack(lasts))
    draft.replace(file)


def train_head(name: str, folder: Path, repository: Path, file: Path) -> dict[str, Entry]:
    """Train, measure and write the head of a model; returns its figures."""
    model = repository / name
    recipe, settings = RECIPES[name], cards.read_card(model).content["settings"]
    reader = CausalReader(model / cards.VERSION_FOLDER, settings, Device())
    sources = recipe.load_pairs(folder)
    prompts, responses = mixtures.flatten_pairs(sources)
    pairs, _ = reader.encode_pairs(prompts, responses)
    states = read_states_cached(
        reader, [exchange_key(p, r) for p, r in zip(prompts, responses, strict=True)], pairs, file
    )
    found = concatenate_features(settings["features"], states, pairs).astype(np.float64)
    places, start = {}, 0
    for block in settings["features"]:
        stop = start + BLOCKS[block](States(states.mean[:1], states.last[:1]), pairs[:1]).shape[1]
        places[block], start = slice(start, stop), stop
    mixture = Mixture(recipe, sources, found, places)
    weights = mixture.fit_final()
    # Only differences matter; the offset puts the mean of the training texts near zero.
    bias = -float(found.mean(0) @ weights)
    head = model / cards.VERSION_FOLDER / "head.npz"
    np.savez(head, w0=weights[:, None].astype(np.float32), b0=np.array([bias], np.float32))
    pin_head(model, hash_file(head))
    figures = mixture.compute_figures(weights)
    write_figures(
        model, figures, training=mixture.describe_training(), data_sha256=hash_data(folder), head_sha256=hash_file(head)
    )
    return figures


def main() -> None:
    """Train one model and print its figures."""
    parser = argparse.ArgumentParser(description="Train the head of a SmolLM2 text reward model.")
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--data", type=Path, required=True, help="the folder with the public data")
    parser.add_argument("--states", type=Path, required=True, help="a file that keeps the states of what was read")
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    arguments = parser.parse_args()
    print(json.dumps(train_head(arguments.name, arguments.data, arguments.repository, arguments.states), indent=1))


if __name__ == "__main__":
    main()
