"""The status of a request that a sample fails: 422 for a cause of the caller, 503 or 504 for one of the server."""

from typing import get_args

import pytest
from reward_gateway.sample import Invalid
from reward_gateway.sample.invalid import InvalidCode
from reward_gateway.scoring.failure_policy import make_error, make_failure

CALLER = (
    *("missing_field", "invalid_field", "invalid_media", "too_large", "truncated", "group_of_one", "guard"),
    *("not_finite", "operation_error", "cancelled"),
)
SERVER = (
    *("overloaded", "model_unavailable", "model_error", "judge_error", "state_unavailable", "over_budget"),
    *("worker_lost", "internal_error"),
)
TIME = ("timeout", "deadline_exceeded")
STATUS = dict.fromkeys(CALLER, 422) | dict.fromkeys(SERVER, 503) | dict.fromkeys(TIME, 504)


def test_every_code_has_a_status() -> None:
    assert set(get_args(InvalidCode)) == STATUS.keys()


@pytest.mark.parametrize(("code", "status"), STATUS.items())
def test_a_sample_fails_its_request_with_the_status_of_its_cause(code: InvalidCode, status: int) -> None:
    failure = make_failure({3: Invalid(code, "a: why", "quality", "a")})
    assert failure.status == status
    assert failure.param == "samples[3].a"
    assert failure.message == "samples[3].a (quality): why"
    assert Invalid(code, "").server_caused == (status > 500)


@pytest.mark.parametrize(("code", "status"), STATUS.items())
def test_an_entry_of_one_sample_answers_with_the_status_of_its_cause(code: InvalidCode, status: int) -> None:
    failure = make_error(Invalid(code, "why", retry_after_s=7.0))
    assert (failure.status, failure.message) == (status, "why")
    server_says_when = status == 503 and code != "state_unavailable"
    assert failure.retry_after_s == (7.0 if server_says_when else failure.default_retry_after_s)
