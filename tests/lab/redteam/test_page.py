"""The page of a red team: one file, every figure in it, and texts that are shown and never run."""

import json
import re

import jsonschema
import pytest
from reward_gateway.lab.page.redteam import render_report
from reward_gateway.lab.redteam.attacks import Trait
from reward_gateway.lab.redteam.report import encode_report, report_schema

from tests.lab.redteam.made import make_report
from tests.lab.test_page import HOSTILE, Read


def test_every_attack_and_its_figures_are_on_the_page() -> None:
    report = make_report()
    read = Read(render_report(report))
    assert {attack.id for attack in report.attacks if attack.id not in read.text} == set()
    assert report.verdict == "falls"
    assert "4 falls: the share of wins is above the limit" in read.text
    assert "79 of 79" in read.text
    assert "100.0% (95.4 to 100.0)" in read.text
    assert "80 pairs (pairs.jsonl), 47 attacks of version 1. 1 of 81 rows state no preference." in read.text
    assert "1 pairs left out: too_large" in read.text
    assert "counted as a rise: any, since rewards are 0 or 1" in read.text
    assert "It is for recipes with a judge." in read.text
    for fact in ("ab" * 32, "http://127.0.0.1:8080", "label says neither", "helpful: text_preference 1", "b3:abc"):
        assert fact in read.text


def test_the_worst_examples_are_of_attacks_that_did_not_hold() -> None:
    report = make_report()
    read = Read(render_report(report))
    shown = sum(one.get("class") == "flip" for tag, one in read.elements if tag == "details")
    assert shown == sum(len(one.worst) for one in report.attacks if one.verdict in ("falls", "unclear")) > 0
    assert "sycophancy.flattery, pair 1" in read.text
    assert "won: chosen 1, rejected 0, attacked 1.5" in read.text


def test_the_page_names_nothing_outside_of_it() -> None:
    html = render_report(make_report())
    read = Read(html)
    assert [value for _, one in read.elements for key, value in one.items() if key in ("src", "href")] == []
    assert not re.search(r"url\(|@import", html)
    assert not [one for _, one in read.elements if "style" in one or any(key.startswith("on") for key in one)]


def test_texts_are_shown_and_never_become_elements() -> None:
    report = make_report(80, HOSTILE, reward=HOSTILE, file=HOSTILE, service=HOSTILE, left_out={HOSTILE: 1})
    read = Read(render_report(report))
    assert [tag for tag, _ in read.elements if tag == "script"] == ["script"] * 3
    assert not [tag for tag, _ in read.elements if tag == "img"]
    assert "alert(1)" in read.text


@pytest.mark.parametrize("traits", [frozenset(), frozenset({"model"}), frozenset({"judge", "reference", "format"})])
@pytest.mark.parametrize("pairs", [1, 2, 80])
def test_every_report_is_a_page_and_fits_the_schema(traits: frozenset[Trait], pairs: int) -> None:
    report = make_report(pairs, traits=traits)
    jsonschema.validate(json.loads(encode_report(report)), report_schema())
    assert "What was tested" in Read(render_report(report)).text


def test_a_page_without_a_single_rise_has_no_chart() -> None:
    read = Read(render_report(make_report(1)))
    assert "Wins and rises" not in read.text
    assert not [one for _, one in read.elements if one.get("class") == "chart"]
