"""The page of a report: one file, every figure in it, and texts that are shown and never run."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import jsonschema
import numpy as np
import pytest
from reward_gateway.lab.comparison import Comparison, Rule
from reward_gateway.lab.measure import measure_rewards
from reward_gateway.lab.outcomes import Ties
from reward_gateway.lab.page.cases import MOST
from reward_gateway.lab.page.evaluation import render_report
from reward_gateway.lab.page.parts import SHOWN
from reward_gateway.lab.report import Measured, Report, encode_report, report_schema
from reward_gateway.lab.scores import RewardScores

from tests.lab.made import make

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def report_of(comparisons: list[Comparison], *rewards: RewardScores) -> Report:
    measured = Measured(
        file="pairs.jsonl",
        sha256="ab" * 32,
        layout="pairs",
        rows=len(comparisons) + 1,
        left_out={"preference_strength is 0": 1},
        comparisons=len(comparisons),
        prompts=len(comparisons),
        service="http://127.0.0.1:8080",
        date=datetime(2026, 11, 30, tzinfo=UTC).isoformat(),
        gateway_version="1",
        ties=Ties.HALF,
        min_accuracy=0.6,
        resamples=2000,
        seed=0,
    )
    return Report(1, measured, *measure_rewards(comparisons, rewards, Ties.HALF))


def random_rewards(comparisons: list[Comparison], count: int, seed: int = 1) -> list[RewardScores]:
    random = np.random.default_rng(seed)
    size = sum(len(list(comparison.samples())) for comparison in comparisons)
    return [
        RewardScores(
            f"reward_{name}", f"b3:{name}", {"quality": "model 1"}, random.normal(size=size).tolist(), [None] * size
        )
        for name in "ab"[:count]
    ]


def two_rewards(size: int = 300) -> tuple[Report, list[Comparison]]:
    comparisons, _ = make(*[([0], [0])] * size, subsets=["chat" if k % 3 else "code" for k in range(size)])
    return report_of(comparisons, *random_rewards(comparisons, 2)), comparisons


class Read(HTMLParser):
    """The elements of a page and its words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside = tag

    def handle_data(self, data: str) -> None:
        if self.inside not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_every_part_is_on_the_page_of_two_rewards() -> None:
    report, comparisons = two_rewards()
    read = Read(render_report(report, comparisons))
    a, b = report.rewards
    difference = report.difference
    assert difference is not None
    for part in ("Difference", "Subsets", "Calibration", "Length", "Scores", "Flips", "What was measured"):
        assert part in read.text
    for reward in (a, b):
        assert f"{reward.accuracy.value:.1%}" in read.text
        assert reward.recipe_version in read.text
    assert f"{len(difference.flips):,}" in read.text
    assert f"The first {MOST} of {len(difference.flips)}" in read.text
    assert sum(one.get("class") == "flip" for tag, one in read.elements if tag == "details") == MOST
    for fact in ("pairs.jsonl", "ab" * 32, "http://127.0.0.1:8080", "preference_strength is 0", "quality: model 1"):
        assert fact in read.text


def test_the_page_names_nothing_outside_of_it() -> None:
    page = render_report(*two_rewards())
    read = Read(page)
    named = [value for _, attributes in read.elements for key, value in attributes.items() if key in ("src", "href")]
    assert named == []
    assert not re.search(r"url\(|@import", page)
    (policy,) = [one["content"] for tag, one in read.elements if tag == "meta" and "http-equiv" in one]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert not [one for _, one in read.elements if "style" in one or any(key.startswith("on") for key in one)]


def test_texts_of_a_set_are_shown_and_never_become_elements() -> None:
    comparisons, _ = make(([0], [0]), ([0], [0]))
    hostile = [
        replace(c, prompt=HOSTILE, chosen=(HOSTILE,), rejected=(HOSTILE * 2,), subset=HOSTILE, id=HOSTILE)
        for c in comparisons
    ]
    scores = [
        RewardScores(HOSTILE, HOSTILE, {HOSTILE: HOSTILE}, values, [None] * 4)
        for values in ([1, 2, 1, 2], [2, 1, 2, 1])
    ]
    page = render_report(report_of(hostile, *scores), hostile)
    read = Read(page)
    assert [tag for tag, _ in read.elements if tag == "script"] == ["script"] * 3
    assert not [tag for tag, _ in read.elements if tag == "img"]
    assert "alert(1)" in read.text


def test_a_long_text_is_cut_and_says_so() -> None:
    comparisons, _ = make(([0], [0]))
    long = [replace(comparisons[0], rejected=("x" * (SHOWN + 1234),))]
    page = render_report(report_of(long, RewardScores("r", "v", {}, [0, 1], [None, None])), long)
    assert "x" * SHOWN in page
    assert "x" * (SHOWN + 1) not in page
    assert "1,234 characters more" in page


@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize("count", [1, 2])
def test_reports_of_every_rule_are_pages_and_fit_the_schema(rule: Rule, count: int) -> None:
    shape: tuple[Any, Any] = (
        ([0] * 3, [0] * 3) if rule is Rule.MATRIX else ([0, 0], [0]) if rule is Rule.TIES else ([0], [0])
    )
    ids = [f"{'ref' if k % 2 else 'tied'}:{k // 2}" for k in range(12)]
    comparisons, _ = make(*[shape] * 12, rule=rule, ids=ids, subsets=["Ties" if rule is Rule.TIES else "s"] * 12)
    report = report_of(comparisons, *random_rewards(comparisons, count))
    read = Read(render_report(report, comparisons))
    jsonschema.validate(json.loads(encode_report(report)), report_schema())
    assert ("Subset Ties" in read.text) is (rule is Rule.TIES)
    assert ("By style" in read.text) is (rule is Rule.MATRIX)
    assert ("Surest mistakes" in read.text) is (count == 1)


def test_a_report_without_a_single_score_is_a_page_too() -> None:
    comparisons, _ = make(([0], [0]), ([0], [0]))
    nothing = [RewardScores(name, "v", {}, [float("nan")] * 4, ["too_large: long"] * 4) for name in ("a", "b")]
    report = report_of(comparisons, *nothing)
    jsonschema.validate(json.loads(encode_report(report)), report_schema())
    text = Read(render_report(report, comparisons)).text
    assert "4 of 4 samples without a score (4 too_large)" in text
    assert "no comparison in common" in text
