"""Every code of a refusal and of a sample without a score is in the reference, with what to do."""

from collections.abc import Callable, Iterator
from typing import get_args

from reward_gateway import errors
from reward_gateway.client.retry import RetryBudget
from reward_gateway.errors import GatewayError
from reward_gateway.sample import InvalidCode
from reward_gateway.sample.invalid import REASONS

from tests.documents import read_table

Read = Callable[[str], str]
REFUSALS = ("code", "HTTP and gRPC status", "retry", "what it means", "what to do")
SAMPLES = ("code", "with `fail`", "retry", "what it means", "what to do")


def kinds(root: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    for kind in root.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield kind
            yield from kinds(kind)


def test_every_refusal_has_a_row_with_its_statuses(read_page: Read) -> None:
    rows = {row[0].strip("`"): row for row in read_table(read_page("errors"), *REFUSALS)}
    assert set(rows) == {kind.code for kind in kinds()}
    for kind in kinds():
        row = rows[kind.code]
        assert row[1] == f"{kind.status} `{kind.grpc_status}`"
        assert row[2] == ("yes" if RetryBudget(1e6).pause_s(kind("")) is not False else "no")


def test_each_code_has_advice_of_its_own(read_page: Read) -> None:
    rows = read_table(read_page("errors"), *REFUSALS)
    assert len({row[4] for row in rows}) == len(rows)


def test_general_meanings_are_shown_where_several_failures_share_a_code() -> None:
    table = {kind.code: kind for kind in errors.error_table()}
    assert table["permission_denied"] is errors.PermissionDenied
    assert table["not_found"] is errors.NotFound


def test_every_reason_of_a_sample_has_a_row(read_page: Read) -> None:
    rows = {row[0].strip("`"): row for row in read_table(read_page("errors"), *SAMPLES)}
    assert set(rows) == set(REASONS) == set(get_args(InvalidCode))
    assert rows["missing_field"][1:3] == ["422", "no"]
    assert rows["model_unavailable"][1:3] == ["503", "yes"]
    assert rows["deadline_exceeded"][1:3] == ["504", "yes"]
