"""The guide lists every attack as it is, and what it names and links to is there."""

import re
from pathlib import Path

from reward_gateway.lab.redteam.attacks import ATTACKS, CLASSES, read_attacks
from reward_gateway.operations.guards import GUARDS
from reward_gateway.operations.registry import catalog

from tests.documents import read_table

GUIDE = ATTACKS.with_name("README.md").read_text(encoding="utf-8")


def test_every_attack_is_in_the_table() -> None:
    rows = read_table(GUIDE, "attack", "class", "needs", "what it does")
    assert [(name.strip("`"), kind.strip("`"), needs) for name, kind, needs, _ in rows] == [
        (attack.id, attack.attack_class, ", ".join(attack.applies) or "any") for attack in read_attacks().attacks
    ]


def test_every_class_has_advice_that_names_what_there_is() -> None:
    rows = read_table(GUIDE, "the reward falls to", "try")
    assert {name for fallen, _ in rows for name in re.findall(r"`(\w+)`", fallen)} == set(CLASSES)
    advice = " ".join(text for _, text in rows)
    known = {operation.name for operation in catalog()} | set(GUARDS)
    for name in ("master_key", "length_penalty", "overlong_penalty", "repetition_penalty", "too_long", "repetition"):
        assert f"`{name}`" in advice or name in advice
        assert name in known
    assert {"ensemble", "gate", "reference_in_prompt"} <= known


def test_the_number_of_attacks_is_that_of_the_file() -> None:
    with_verdicts = [attack for attack in read_attacks().expanded if attack.role == "attack"]
    assert f"With {len(with_verdicts)} of them" in GUIDE


def test_what_the_links_lead_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", GUIDE)
    assert links
    assert all(Path(ATTACKS.parent, link).exists() for link in links)
