"""Train the head of social_popularity on earlier posts, and measure it on later ones.

    python -m reward_models.train.popularity --data DIR

DIR holds ``hacker_news_posts.csv.gz`` (title, url, num_points, created_at). The latest fifth is held out; how strong
the ridge penalty is was chosen on the latest fifth of the rest. Writes ``1/head.npz`` and ``evaluation.json`` into the
model's folder, the head's hash and the figures into its card.
"""

import argparse
import csv
import gzip
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_models.evaluate.part import Entry
from reward_models.evaluate.report import pin_head, write_figures
from reward_models.repository import REPOSITORY
from reward_models.repository import card as cards
from reward_models.repository.files import hash_file
from reward_models.runtime.popularity import Reader, Usual
from reward_models.runtime.session import Device

Array = NDArray[np.float64]
NAME, POSTS = "social_popularity", "hacker_news_posts.csv.gz"
LATE = 0.8
"""The share of the posts, earliest first, that the head is trained on."""
STRENGTHS = (300.0, 1000.0, 3000.0, 10000.0)
GIVEN = 6
"""How many of the last columns a row may leave out."""


@dataclass(frozen=True, slots=True)
class Posts:
    """Posts in order of time: titles, what was given besides, and ln(1 + points) [n]."""

    titles: list[str]
    given: list[dict[str, float]]
    target: Array
    made: list[str]


def read_posts(path: Path) -> Posts:
    """The posts of the file, earliest first. The clock is the file's own."""
    with gzip.open(path, "rt", encoding="utf-8") as opened:
        rows = [(datetime.strptime(row["created_at"], "%m/%d/%Y %H:%M"), row) for row in csv.DictReader(opened)]
    rows.sort(key=lambda entry: entry[0])
    given = [
        {"hour": at.hour + at.minute / 60, "weekday": float(at.weekday()), "has_link": float(bool(row["url"]))}
        for at, row in rows
    ]
    points = np.array([float(row["num_points"]) for _, row in rows])
    made = [at.date().isoformat() for at, _ in rows]
    return Posts([row["title"].strip() for _, row in rows], given, np.log1p(points), made)


def rank_values(values: Array) -> Array:
    """Ranks from 0; equal values share the mean of theirs."""
    order = np.argsort(values, kind="stable")
    places = np.empty(len(values))
    places[order] = np.arange(len(values))
    _, group = np.unique(values, return_inverse=True)
    return np.asarray((np.bincount(group, places) / np.bincount(group))[group], np.float64)


def spearman(a: Array, b: Array) -> float:
    """Rank correlation."""
    return float(np.corrcoef(rank_values(a), rank_values(b))[0, 1])


def area_under_curve(scores: Array, positive: NDArray[np.bool_]) -> float:
    """How often a positive scores above a negative; a tie counts half."""
    n = int(positive.sum())
    return float((rank_values(scores)[positive].sum() - n * (n - 1) / 2) / (n * (len(scores) - n)))


def fit_ridge(x: Array, y: Array, strength: float) -> tuple[Array, Array]:
    """Weights [F, K] and bias [K] of a ridge regression of y [n, K] on standardised features, given for the features
    as they are."""
    mean, spread = x.mean(0), x.std(0) + 1e-6
    z = (x - mean) / spread
    weights = np.linalg.solve(z.T @ z + strength * np.eye(x.shape[1]), z.T @ (y - y.mean(0))) / spread[:, None]
    return weights, y.mean(0) - mean @ weights


def compute_figures(scores: Array, target: Array) -> dict[str, float]:
    """Rank correlation, and how well the quarter with the most points is told from the rest."""
    top = target >= np.quantile(target, 0.75)
    return {"spearman": round(spearman(scores, target), 3), "top_quarter_auc": round(area_under_curve(scores, top), 3)}


def train_head(folder: Path, repository: Path) -> dict[str, Entry]:
    """Train, measure and write the head; returns its figures."""
    model = repository / NAME
    posts = read_posts(folder / POSTS)
    reader = Reader(model / cards.VERSION_FOLDER, cards.read_card(model).content["settings"], Device(), remembered=0)
    x = reader.read_features(posts.titles, posts.given)[0].astype(np.float64)
    y, size = posts.target, len(posts.target)
    early, late = int(size * LATE * LATE), int(size * LATE)

    def trial(strength: float) -> float:
        weights, _ = fit_ridge(x[:early], y[:early, None], strength)
        return spearman((x[early:late] @ weights)[:, 0], y[early:late])

    strength = max(STRENGTHS, key=trial)
    weights, bias = fit_ridge(x[:late], y[:late, None], strength)
    usual = Usual(*fit_ridge(x[:late, :-GIVEN], x[:late, -GIVEN:], strength))
    bare = x[late:].astype(np.float32)
    bare[:, -GIVEN:] = np.nan
    length = compute_figures(-np.array([float(len(title)) for title in posts.titles[late:]]), y[late:])
    rule: Entry = {f"shorter_title_{name}": value for name, value in length.items()} | {"posts": size - late}
    found: dict[str, Entry] = {
        "title_alone": compute_figures((usual.fill_missing(bare) @ weights)[:, 0], y[late:]) | rule,
        "title_and_features": compute_figures((x[late:] @ weights)[:, 0], y[late:]) | rule,
    }
    head = model / cards.VERSION_FOLDER / "head.npz"
    arrays = {"w0": weights, "b0": bias, "usual_weights": usual.weights, "usual_bias": usual.bias}
    narrow: dict[str, Any] = {name: value.astype(np.float32) for name, value in arrays.items()}
    np.savez(head, **narrow)
    pin_head(model, hash_file(head))
    write_figures(
        model,
        found,
        posts={"trained_on": late, "held_out": size - late},
        period={"trained_on": [posts.made[0], posts.made[late - 1]], "held_out": [posts.made[late], posts.made[-1]]},
        strength=strength,
        data_sha256={POSTS: hash_file(folder / POSTS)},
        head_sha256=hash_file(head),
    )
    return found


def main() -> None:
    """Train and print the figures."""
    parser = argparse.ArgumentParser(description="Train the head of social_popularity.")
    parser.add_argument("--data", type=Path, required=True, help="the folder with the public data")
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    arguments = parser.parse_args()
    print(json.dumps(train_head(arguments.data, arguments.repository), indent=1))


if __name__ == "__main__":
    main()
