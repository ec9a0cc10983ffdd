"""Is the response's answer the reference's, as mathematics? 1/2 is 0.5, and x + 1 is 1 + x."""

from typing import Literal

import numpy as np
from pydantic import Field

from reward_gateway.sample import Invalid

from ..answers.final import final_answer
from ..answers.sections import last_boxed, last_tagged
from ..columns import Columns
from ..effects import CompareMath, Effectful, perform
from ..outcome import Outcome, invalid_field
from ..reading.alternatives import Reference
from ..reading.params import FinalTextParams
from ..registry import OperationItem, Source, operation
from ..texts import folded

_LONGEST = 5_000
"""Characters that are compared: of a response, its last ones, where answers stand."""


class Params(FinalTextParams):
    too_hard: Literal["error", "wrong"] = Field(
        "error", description="What an answer is that cannot be compared in time: an item error, or 0."
    )


class Item(OperationItem):
    response: str = Field(description="Response with its answer in <answer>, in a \\boxed{}, or after </think>.")
    reference: Reference = Field(description="The right answer, in LaTeX or as a plain expression.")


@operation(
    "score",
    "math_equivalence",
    item=Item,
    params=Params,
    source=Source("Math-Verify", "https://github.com/huggingface/Math-Verify"),
    fidelity="verified",
)
def math_equivalence(columns: Columns, params: Params) -> Effectful[Outcome]:
    """1 if the response's answer equals the reference as mathematics, else 0.

    The answer is read from <answer>, from the last \\boxed{}, else from what follows </think>; both sides are
    parsed as LaTeX or plain expressions and compared with SymPy (library Math-Verify), in a process with
    limits on time and memory. Equal texts are equal without being parsed. A response without an answer that
    can be read gives 0; a reference that cannot be read is an item error.
    """
    responses, references = columns.objects("response"), columns.objects("reference")
    outcome = Outcome(reward=np.zeros(columns.size))
    assert outcome.reward is not None
    rows: list[int] = []
    for i in range(columns.size):
        reference = last_boxed(references[i]) or references[i]
        if not reference.strip() or len(reference) > _LONGEST:
            outcome.invalid[i] = invalid_field(f"reference: 1 to {_LONGEST:,} characters are needed", "reference")
        elif folded(final_answer(responses[i])) == folded(reference):
            outcome.reward[i] = 1.0
        elif responses[i].strip():
            rows.append(i)
    if not rows:
        return outcome
    verdicts = yield from perform(CompareMath([(references[i], _extract_answer(responses[i])) for i in rows]))
    for i, verdict in zip(rows, verdicts, strict=True):
        if not isinstance(verdict, Invalid):
            outcome.reward[i] = float(verdict)
        elif verdict.code != "operation_error" or params.too_hard == "error":
            outcome.invalid[i] = verdict
    outcome.reward[list(outcome.invalid)] = np.nan
    return outcome


def _extract_answer(response: str) -> str:
    """What the parser is given: a box in its box, a tagged answer in dollars, else the end of the text."""
    boxed = last_boxed(last_tagged(response, "answer") or response)
    if boxed is not None:
        return f"\\boxed{{{boxed[:_LONGEST]}}}"
    tagged = last_tagged(response, "answer")
    if tagged is not None and "$" not in tagged and "\\" in tagged:
        return f"${tagged[:_LONGEST]}$"
    return final_answer(response)[-_LONGEST:]
