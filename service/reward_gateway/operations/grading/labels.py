"""Words that name a grade. What else stands before a number ("step", "section", "policy", "confidence") names none."""

_FOR_ALL = "score scores grade rating mark marks overall total verdict reward quality"
_FOR_PARTS = """
accuracy clarity coherence completeness conciseness consistency correctness creativity depth engagement factuality
faithfulness fluency groundedness harmlessness helpfulness honesty instruction instruction-following logic novelty
originality precision progress readability reasoning relevance safety similarity style success tone truthfulness
usefulness verbosity
"""
_BESIDE = """
a an my the your this its assigned average final given numeric numerical of for response responses assistant's assistant
evaluation assessment judge's judgment judgement points out following and
"""

SCORES = frozenset(_FOR_ALL.split())
"""For the grade as a whole; one of these may follow lines of its parts."""

_NAMES = SCORES | frozenset(_FOR_PARTS.split())
_ALLOWED = _NAMES | frozenset(_BESIDE.split())


def names_grade(label: str) -> bool:
    """Whether a label in lower case is made of words for a grade or a criterion, and words that stand beside them."""
    words = set(label.split())
    return bool(words & _NAMES) and words <= _ALLOWED


def names_whole(label: str) -> bool:
    """Whether it names the grade as a whole, and not of one criterion."""
    return bool(set(label.split()) & SCORES)
