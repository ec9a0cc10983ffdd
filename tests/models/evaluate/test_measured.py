"""What the cards claim, measured again on the parts that need no data: the probes, and what is drawn."""

from collections.abc import Callable

import pytest
from reward_models.build import is_built
from reward_models.evaluate import Subject
from reward_models.evaluate.report import compare_figures, list_parts
from reward_models.repository import REPOSITORY
from reward_models.runtime.instance import Instance

QUICK = {
    "text_harmless": {"benign_but_scary", "benign_long_refusal", "harmful", "harmful_short_refusal"},
    "text_preference": {"benign_but_scary", "benign_long_refusal", "harmful"},
    "text_harmless_smollm2": {"harmful"},
    "text_rendering": {"blank_image"},
    "language_model": {"torch"},
}


@pytest.mark.parametrize("name", QUICK)
def test_a_built_model_does_what_its_card_says(name: str, start: Callable[[str], Instance]) -> None:
    start(name)
    scored: list[int] = []
    subject = Subject(name, REPOSITORY, scored.append)
    measured = {part.name: part for part in list_parts(subject) if part.name in QUICK[name]}
    assert measured.keys() == QUICK[name]
    for part in measured.values():
        for row in compare_figures(subject, part, part.measure(None), ""):
            assert row.verdict == "ok", row
    assert is_built(name)
    assert sum(scored) >= len(measured)
