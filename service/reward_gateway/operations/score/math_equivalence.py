"""Is the response's answer the reference's, as mathematics? 1/2 is 0.5, and x + 1 is 1 + x."""

from typing import Literal

import numpy as np
from pydantic import Field

from reward_gateway.sample import Invalid

from ..answers.remembered import Remembered
from ..answers.sections import last_boxed, last_boxes
from ..columns import Columns
from ..effects import CompareMath, Effectful, perform
from ..mathematics.decide import decide
from ..mathematics.decision import Decision, Question, Tolerance
from ..mathematics.extract import find_expression
from ..mathematics.notation import is_whole
from ..outcome import Outcome, invalid_field
from ..reading.alternatives import Reference
from ..reading.params import FinalTextParams
from ..registry import OperationItem, Source, operation

_LONGEST = 5_000
"""Characters of a reference."""


_UNREADABLE = invalid_field(
    f"reference: has to be an expression or words of 1 to {_LONGEST:,} characters, with every brace closed", "reference"
)


class Params(FinalTextParams):
    rel_tol: float = Field(1e-6, ge=0, le=1, description="Tolerance of decimals, as a share of the reference.")
    min_digits: int = Field(
        4, ge=1, le=30, description="Significant digits that a decimal for a fraction, root or constant has to show."
    )
    strict: bool = Field(False, description="A decimal is never a fraction, a root or a constant.")
    timeout_s: float = Field(3.0, gt=0, le=60, description="Processor time for one comparison.")
    too_hard: Literal["error", "wrong"] = Field(
        "error", description="What an answer is that cannot be compared in time: an item error, or 0."
    )


class Item(OperationItem):
    response: str = Field(description="Response with its answer in <answer>, in a \\boxed{}, or at its end.")
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

    The answer is read from the last <answer>, the last \\\\boxed{}, ####, what follows "the answer is", else from the
    last line. Both sides are written in one notation (LaTeX, plain, Unicode; currencies, units and separators of
    thousands left out). Whole numbers and fractions are compared exactly, decimals to `rel_tol`, a decimal for an exact
    value to the digits that it shows; words as text. What is left is parsed and compared by the library Math-Verify
    with SymPy, in a process with limits on time and memory. Several answers where one is right are wrong. A response
    without an answer gives 0; a reference that cannot be read is an item error.
    Details: `by` (exact, rational, symbolic, numeric, text), `several_answers`.
    """
    responses, references = columns.objects("response"), columns.objects("reference")
    tolerance = Tolerance(params.rel_tol, params.min_digits, params.strict)
    rewards = np.zeros(columns.size)
    by: list[str | None] = [None] * columns.size
    several: list[bool | None] = [None] * columns.size
    invalid: dict[int, Invalid] = {}
    questions: dict[int, Question] = {}
    for i, (response, reference) in enumerate(zip(responses, references, strict=True)):
        wanted = _read_reference(reference)
        if wanted is None:
            invalid[i] = _UNREADABLE
            continue
        found = find_expression(response)
        if found is None:
            continue
        decision = decide(wanted, found.expression, tolerance)
        if isinstance(decision, Decision):
            rewards[i], by[i], several[i] = float(decision.equal), decision.by, decision.several or None
        else:
            questions[i] = decision
    if questions:
        pairs = [(question.reference, question.response) for question in questions.values()]
        verdicts = yield from perform(
            CompareMath(pairs, params.rel_tol, params.min_digits, params.strict, params.timeout_s)
        )
        for i, verdict in zip(questions, verdicts, strict=True):
            if not isinstance(verdict, Invalid):
                rewards[i], by[i] = float(verdict[0]), verdict[1]
            elif verdict.code != "operation_error" or params.too_hard == "error":
                invalid[i] = verdict
    rewards[list(invalid)] = np.nan
    return Outcome(reward=rewards, details={"by": by, "several_answers": several}, invalid=invalid)


@Remembered
def _read_reference(reference: str) -> str | None:
    """The answer of a reference: its box, what follows #### in a worked solution, else all of it."""
    if not reference.strip() or len(reference) > _LONGEST:
        return None
    boxed = ", ".join(last_boxes(reference)) or last_boxed(reference)
    if boxed is not None:
        answer = boxed
    elif "####" in reference:
        answer = reference.rpartition("####")[2].strip()
    else:
        answer = reference
    return answer if is_whole(answer) else None
