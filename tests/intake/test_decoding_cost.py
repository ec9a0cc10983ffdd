"""What decoding a body may take is told from all of its bytes, wherever they are cut."""

from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.intake.decoding_cost import DecodingCost, count_marks
from reward_gateway.operations.costs import LIMIT_US

CONTAINERS = DecodingCost(byte_us=0.0, value_us=0.0, container_us=1.0)
VALUES = DecodingCost(byte_us=0.0, value_us=1.0, container_us=0.0)


@given(st.binary(max_size=600), st.integers(0, 1 << 18))
def test_marks_are_counted_wherever_they_are(data: bytes, before: int) -> None:
    body = b" " * before + data
    assert count_marks(body) == (data.count(b"[") + data.count(b"{"), data.count(b","))


def test_every_other_byte_is_no_mark() -> None:
    marks = b"[{,"
    assert count_marks(bytes(byte for byte in range(256) if byte not in marks)) == (0, 0)
    assert count_marks(marks) == (2, 1)


def test_a_limit_is_exceeded_by_one_mark_more() -> None:
    most = int(LIMIT_US)
    for cost, mark in ((CONTAINERS, b"["), (CONTAINERS, b"{"), (VALUES, b",")):
        assert not cost.exceeds_limit(mark * most)
        assert cost.exceeds_limit(mark * (most + 1))
    assert VALUES.exceeds_limit(b",", values=most)
