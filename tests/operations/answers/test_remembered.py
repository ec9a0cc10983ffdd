"""operations/answers/remembered.py: what was read in a text is read once."""

from reward_gateway.operations.answers.remembered import LONGEST, Remembered


def counting() -> tuple[Remembered[int], list[str]]:
    read: list[str] = []

    def measure(text: str) -> int:
        """Characters."""
        read.append(text)
        return len(text)

    return Remembered(measure), read


def test_a_text_is_read_once() -> None:
    measure, read = counting()
    assert [measure("ab"), measure("ab"), measure("c")] == [2, 2, 1]
    assert read == ["ab", "c"]


def test_a_long_text_is_read_each_time_and_not_kept() -> None:
    measure, read = counting()
    long = "a" * (LONGEST + 1)
    assert measure(long) == measure(long) == LONGEST + 1
    assert read == [long, long]


def test_it_is_documented_as_what_it_remembers() -> None:
    measure, _ = counting()
    assert measure.__doc__ == "Characters."
