"""Whose state a request touches, and what makes a repeat the same request."""

from dataclasses import replace
from typing import Any

import pytest
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.scoring.request_scope import NO_SCOPE, RequestScope

KEYED = RequestScope("trainer", "run 1", "key")


def test_without_a_key_every_request_is_a_new_one() -> None:
    assert RequestScope("anonymous", "", None) == NO_SCOPE
    assert NO_SCOPE.make_attempt_address("score", "r") is None
    assert NO_SCOPE.name_member("cohort", 3) is None


@pytest.mark.parametrize("change", [{"caller": "other"}, {"run": "run 2"}, {"idempotency_key": "other"}])
def test_the_caller_the_run_and_the_key_tell_requests_apart(change: dict[str, Any]) -> None:
    other = replace(KEYED, **change)
    assert other.make_attempt_address("r") != KEYED.make_attempt_address("r")
    assert other.name_member("c", 0) != KEYED.name_member("c", 0)


def test_a_repeat_has_the_same_names_and_each_work_and_row_its_own() -> None:
    assert KEYED.make_attempt_address("score", "r") == replace(KEYED).make_attempt_address("score", "r")
    names = [
        KEYED.make_attempt_address("score", "r"),
        KEYED.make_attempt_address("score", "s"),
        KEYED.make_attempt_address("scorer"),
        KEYED.make_attempt_address("c", "0"),
        KEYED.name_member("c", 0),
        KEYED.name_member("c", 1),
        KEYED.name_member("d", 0),
        KEYED.name_member("c", 2),
        KEYED.make_attempt_address("c", "2"),
        KEYED.make_attempt_address("cohort", "c", "2"),
    ]
    assert len(set(names)) == len(names)
    assert {len((name or "").removeprefix("trainer/")) for name in names} == {40}


def test_times_of_a_phase_add_up_in_milliseconds() -> None:
    context = RequestContext()
    context.add_time("cache", 0.25)
    context.add_time("cache", 0.5)
    context.add_time("inference", 2.0)
    assert context.timing == {"cache": 750.0, "inference": 2000.0}
    assert (context.cache, context.deadline, context.scope) == ("use", None, NO_SCOPE)
