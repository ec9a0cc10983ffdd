"""Flags of samples as one text: numbered as the request has them, and bounded."""

from reward_gateway.sample.flags import LONGEST, format_flags


def test_a_sample_is_named_by_its_number() -> None:
    flags = {3: ("truncated", "empty_response"), 0: ("out_of_distribution",), 5: ()}
    assert format_flags({1: (6, flags)}) == "0:out_of_distribution;3:truncated,empty_response"


def test_the_numbers_of_several_parts_go_on() -> None:
    assert format_flags({2: (2, {1: ("b",)}), 1: (3, {0: ("a",)}), 3: (1, {})}) == "0:a;4:b"


def test_without_flags_there_is_nothing_to_say() -> None:
    assert format_flags({}) == format_flags({1: (4, {})}) == ""


def test_it_is_bounded_and_says_how_many_are_left_out() -> None:
    value = format_flags({1: (4096, dict.fromkeys(range(4096), ("out_of_distribution",)))})
    *named, rest = value.split(";")
    assert len(value) <= LONGEST + 8
    assert rest == f"+{4096 - len(named)}"
    assert named[-1] == f"{len(named) - 1}:out_of_distribution"
