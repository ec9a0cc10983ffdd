"""Rates: exactly as many as the key may make, and when the next one may pass."""

import pytest
from reward_gateway.errors import RateLimited
from reward_gateway.traffic.keys import ApiKey
from reward_gateway.traffic.rates import Rates


def key(name: str, rate: str | None = None) -> ApiKey:
    return ApiKey(name=name, sha256="0" * 64, rate=rate)


def passed(rates: Rates, caller: ApiKey, tries: int) -> int:
    count = 0
    for _ in range(tries):
        try:
            rates.check(caller)
        except RateLimited:
            continue
        count += 1
    return count


def test_the_rate_itself_passes_and_one_more_does_not() -> None:
    rates = Rates("5/hour")
    caller = key("a")
    assert passed(rates, caller, 5) == 5
    with pytest.raises(RateLimited) as refused:
        rates.check(caller)
    assert refused.value.status == 429
    assert refused.value.retry_after_s is not None
    assert 3500 < refused.value.retry_after_s <= 3600


def test_keys_do_not_use_up_each_others_rate() -> None:
    rates = Rates("2/hour")
    assert passed(rates, key("a"), 5) == 2
    assert passed(rates, key("b"), 5) == 2


def test_a_keys_own_rate_goes_before_the_default() -> None:
    assert passed(Rates("2/hour"), key("a", "4/hour"), 9) == 4


def test_no_rate_means_no_limit() -> None:
    assert passed(Rates(None), key("a"), 1000) == 1000


def test_a_rate_is_shared_out_among_the_workers() -> None:
    assert passed(Rates("8/hour", workers=4), key("a"), 9) == 2
    assert passed(Rates("2/hour", workers=4), key("a"), 9) == 1
