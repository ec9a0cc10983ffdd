"""Prompts that hold the answer."""

import unicodedata

import numpy as np
from pydantic import Field

from reward_gateway.sample import Invalid

from ..registry import OperationParams
from .registry import GuardView, Judged, explain_missing, guard

_READS = frozenset(("prompt", "reference"))


class Leak(OperationParams):
    min_characters: int = Field(
        10, ge=1, description="Letters and digits of a reference; a shorter one is found in a prompt by chance."
    )


@guard("reference_in_prompt", Leak, reads=lambda _: _READS)
def reference_in_prompt(view: GuardView, params: Leak) -> Judged:
    """The prompt holds the whole reference, so that the response need only copy it.

    Looked for as whole words, without regard to case, white space, the forms of Unicode (NFKC) and punctuation at the
    ends; of several accepted answers each. A reference of fewer than `min_characters` letters and digits is let
    through: a number, yes or no, the letter of a choice and a name stand in prompts by chance. A question that lists
    its choices in words holds the right one by design: give the letter as the reference there, or leave this guard out.

    A sample without a prompt or without a reference that is a text cannot be judged and is invalid.
    """
    invalid: dict[int, Invalid] = {}
    suspicious = np.zeros(view.size, dtype=bool)
    for i, (prompt, references) in enumerate(zip(view.prompts, view.references, strict=True)):
        if prompt is None or not references:
            invalid[i] = explain_missing("reference_in_prompt", "prompt" if prompt is None else "reference")
            continue
        wanted = {_normalise(reference).strip(_ENDS) for reference in references}
        wanted = {text for text in wanted if sum(map(str.isalnum, text)) >= params.min_characters}
        if wanted:
            given = _normalise(prompt)
            suspicious[i] = any(_holds(given, text) for text in wanted)
    return Judged(suspicious, invalid)


_ENDS = " .,;:!?\"'“”‘’。，；：！？、"


def _normalise(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _holds(text: str, wanted: str) -> bool:
    """Whether a text holds another that does not begin or end inside a word."""
    place = text.find(wanted)
    while place >= 0:
        end = place + len(wanted)
        inside = wanted[0].isalnum() and text[place - 1 : place].isalnum()
        if not inside and not (wanted[-1].isalnum() and text[end : end + 1].isalnum()):
            return True
        place = text.find(wanted, place + 1)
    return False
