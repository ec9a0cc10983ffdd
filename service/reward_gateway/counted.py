"""Counts in sentences."""


def count_of(number: int, noun: str) -> str:
    """A number with its noun: ``1 recipe``, ``2 recipes``, ``1,024 samples``."""
    return f"{number:,} {noun if number == 1 else f'{noun}s'}"
