"""Responses of a group that say the same."""

from collections import Counter

import numpy as np
from pydantic import Field

from ..registry import OperationParams
from .registry import GuardView, Judged, guard, refuse_without_response


class Duplicates(OperationParams):
    exact: bool = Field(False, description="Compare texts as they are: case and white space count.")
    keep_first: bool = Field(False, description="Leave the first of equal responses unflagged.")
    min_words: int = Field(1, ge=0, description="Shorter responses are let through; words are what white space parts.")


@guard("duplicate_in_group", Duplicates, compares="group")
def duplicate_in_group(view: GuardView, params: Duplicates) -> Judged:
    """The response says the same as another of its group.

    Texts are compared without regard to case and white space, unless `exact`; what the policy itself said of a
    conversation counts, tool calls included. All of the equal responses are flagged, so that equal texts are rewarded
    alike, or all but the first with `keep_first`. Where answers alone are asked for, equal ones are no sign of a policy
    that has collapsed: raise `min_words`.

    Blank responses are let through (`empty_response` flags those, or `min_words: 0`). A sample without a response, and
    one that is alone in its group, cannot be judged and is invalid; the second unless `group: {single: …}` says what it
    gets. Samples that have failed for another reason count as members.
    """
    invalid = refuse_without_response(view, "duplicate_in_group")
    keys = [
        None if i in invalid or len(text.split()) < params.min_words else (group, _normalise(text, params))
        for i, (group, text) in enumerate(zip(view.groups, view.responses, strict=True))
    ]
    counts = Counter(key for key in keys if key is not None)
    suspicious = np.zeros(view.size, dtype=bool)
    met = set()
    for i, key in enumerate(keys):
        if key is not None and counts[key] > 1:
            suspicious[i] = not params.keep_first or key in met
            met.add(key)
    return Judged(suspicious, invalid)


def _normalise(text: str, params: Duplicates) -> str:
    return text if params.exact else " ".join(text.casefold().split())
