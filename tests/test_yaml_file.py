"""yaml_file.py and rates.py: a file with secrets is read strictly, and a fault repeats none of them."""

from pathlib import Path

import pytest
from reward_gateway.rates import parse_rate
from reward_gateway.yaml_file import YamlFault, read_yaml

SECRET = "hunter2hunter2"


def test_values_merged_from_an_anchor_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n")
    assert read_yaml(path) == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"keys:\n- key: {SECRET}\n  key: {SECRET}".encode(), "line 3 holds a key that its mapping has already"),
        (f"keys:\n- key: *{SECRET}".encode(), "line 2 is not YAML"),
        (f"keys: !{SECRET} x".encode(), "line 1 is not YAML"),
        (f"{SECRET}: [".encode(), "is not YAML"),
        (b"[" * 100_000, "nested too deep"),
        (SECRET.encode() + b"\xff", "not UTF-8"),
        (b"a: " + b"9" * 5000, "number or a date"),
        *[(b"a: !!%s" % odd, "number or a date") for odd in (b'int ""', b"bool x", b"timestamp x")],
    ],
)
def test_a_fault_says_its_line_and_nothing_of_the_content(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(content)
    with pytest.raises(YamlFault) as error:
        read_yaml(path)
    assert said in str(error.value)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("text", ["", "fast", "0/minute", "-1/minute", "5/fortnight", "5/minute;1/second", "5/minute,"])
def test_a_rate_that_would_not_be_kept_as_it_is_written_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="600/minute"):
        parse_rate(text)


def test_a_rate_is_a_number_and_a_span() -> None:
    assert [(rate.amount, rate.get_expiry()) for rate in map(parse_rate, ("600/minute", "10 per 2 seconds"))] == [
        (600, 60),
        (10, 2),
    ]
