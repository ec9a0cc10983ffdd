"""social_popularity on the latest fifth of the posts: rank correlation, and the upper quarter told from the rest.

The baseline is the rule that a shorter title does better.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np

from reward_models.evaluate.part import Entry, Part
from reward_models.evaluate.subject import Subject
from reward_models.train.popularity import LATE, POSTS, compute_figures, read_posts


def list_parts(subject: Subject) -> list[Part]:
    """Titles alone, and with the hour, the weekday and the kind of post given."""
    shown = {name: f"shorter_title_{name}" for name in ("spearman", "top_quarter_auc")}
    return [
        Part(name, partial(later_posts, subject, given), shown, count="posts", needs=(POSTS,))
        for name, given in (("title_alone", False), ("title_and_features", True))
    ]


def later_posts(subject: Subject, given: bool, data: Path | None) -> Entry:
    """Figures of the later posts, and those of the length of their titles."""
    assert data is not None
    posts = read_posts(data / POSTS)
    late = int(len(posts.titles) * LATE)
    titles, target = posts.titles[late:], posts.target[late:]
    columns = {"response": titles}
    if given:
        columns["features"] = [json.dumps(row) for row in posts.given[late:]]
    length = np.array([-float(len(title)) for title in titles])
    rule = {f"shorter_title_{name}": value for name, value in compute_figures(length, target).items()}
    return compute_figures(subject.require_scores(**columns)[:, 0], target) | rule | {"posts": len(titles)}
