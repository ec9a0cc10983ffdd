"""Fallbacks of upstreams are served, and give the same numbers for the same fields."""

from typing import Any

import pytest
from reward_gateway.backends.upstreams.config import UpstreamConfig
from reward_gateway.backends.upstreams.file import UpstreamsFileError
from reward_gateway.cli.fallback_checks import check_fallbacks
from reward_gateway.recipes.known_models import KnownModel, PartlyKnown

BIG = KnownModel(("messages", "prompt", "response"), ("score",), fallback="small")


def upstream(**settings: Any) -> UpstreamConfig:
    return UpstreamConfig.model_validate({"protocol": "vllm_classify", "urls": ["http://h"], **settings})


@pytest.mark.parametrize(
    "small",
    [
        KnownModel(("prompt", "response"), ("reward",)),
        KnownModel(("response",), ("score",)),
        KnownModel(),  # never loaded: nothing is known of it
    ],
)
def test_a_model_that_gives_one_number_for_the_same_texts_can_stand_in(small: KnownModel) -> None:
    check_fallbacks({"big": BIG, "big@1": BIG, "small": small})


@pytest.mark.parametrize(
    ("models", "fault"),
    [
        ({"big": BIG}, "upstreams.big.fallback: names no upstream, and no model that is served"),
        (
            {"big": BIG, "small": KnownModel(("response",), ("helpful", "safe"))},
            "upstreams.big.fallback: gives other numbers (helpful, safe; needed: score)",
        ),
        (
            {"big": BIG, "small": KnownModel(("prompt", "images"), ("score",))},
            "upstreams.big.fallback: reads what this one does not read: images",
        ),
    ],
)
def test_one_that_cannot_is_a_fault_with_its_place(models: dict[str, KnownModel], fault: str) -> None:
    with pytest.raises(UpstreamsFileError) as raised:
        check_fallbacks(models)
    assert raised.value.faults == [fault]


def test_what_is_not_known_is_no_fault() -> None:
    check_fallbacks(None)
    check_fallbacks(PartlyKnown({"big": BIG}))


def test_entries_that_are_about_to_be_served_are_checked_before_they_are() -> None:
    served = {"big": BIG, "small": KnownModel(("response",), ("score",))}
    check_fallbacks(served, {"new": upstream(fallback="small"), "newer": upstream(fallback="new")})
    with pytest.raises(UpstreamsFileError, match=r"upstreams\.new\.fallback: names no upstream"):
        check_fallbacks(served, {"new": upstream(fallback="none")})


@pytest.mark.parametrize("fallback", ["", "small"])
def test_an_upstream_that_is_about_to_go_stands_in_for_none(fallback: str) -> None:
    going = KnownModel(("response",), ("score",), fallback=fallback)
    served = {"big": BIG, "going": going, "small": KnownModel(("response",), ("score",))}
    with pytest.raises(UpstreamsFileError) as raised:
        check_fallbacks(served, {"big": upstream(fallback="going")}, replaced={"big", "going"})
    assert raised.value.faults == ["upstreams.big.fallback: names no upstream, and no model that is served"]
    check_fallbacks(served, {"big": upstream(fallback="small")}, replaced={"big", "going"})
