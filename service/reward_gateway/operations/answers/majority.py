"""The answer that most give."""

from collections import Counter
from collections.abc import Sequence


def majority(answers: Sequence[str]) -> str:
    """The most common answer that is not empty; of equally common ones the first seen; empty if there is none."""
    counts = Counter(answer for answer in answers if answer)
    return counts.most_common(1)[0][0] if counts else ""
