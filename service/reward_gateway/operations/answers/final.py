"""The answer that a response commits to."""

from .sections import last_boxed, last_tagged


def final_answer(text: str) -> str:
    r"""The answer in a final text: in its last ``<answer>``, or its last ``\boxed{}``, else all of it."""
    tagged = last_tagged(text, "answer")
    within = text if tagged is None else tagged
    boxed = last_boxed(within)
    return boxed if boxed is not None else within.strip()
