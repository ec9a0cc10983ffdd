"""The answer in a response's last box, compared with the reference as a text or by its spelling as mathematics."""

from typing import Literal

from pydantic import Field

from ..answers.math_spelling import spelled_alike
from ..answers.normalise import NORMALISE
from ..answers.sections import last_boxed, unbraced_box
from ..columns import Columns
from ..costs import Cost
from ..outcome import Outcome, Row, by_row
from ..registry import Source, operation
from .matching import ContainsParams, Item


class Params(ContainsParams):
    mode: Literal["text", "math"] = Field(
        "text", description="text: equal after `normalise`. math: spelled alike, by the rules of MATH's is_equiv."
    )


@operation(
    "score",
    "boxed_answer",
    item=Item,
    params=Params,
    source=Source("Measuring Mathematical Problem Solving With the MATH Dataset", "https://arxiv.org/abs/2103.03874"),
    fidelity="verified",
    cost=Cost(row=15.0, unit=0.1),
)
def boxed_answer(columns: Columns, params: Params) -> Outcome:
    r"""1 if the last \boxed{} of the response equals the reference (or the reference's own box), else 0.

    With `mode`

    - `text` (default): as texts, after `normalise`. This is our own rule, not the source's, and not what is verified.
    - `math`: by their spelling, as `is_equiv` of the source's code (github.com/hendrycks/math) does, which trainers
      took over. Spaces, line breaks, `\left`, `\right`, `\!`, degrees, `\$`, `\%`, and units in `\text{ }` at the end
      do not count; `\dfrac` is `\frac`; `\frac12`, 1/2 and 0.5 are `\frac{1}{2}`; `\sqrt3` is `\sqrt{3}`; .5 is 0.5; a
      name of one or two characters before an equals sign is left out. Case counts, and `normalise` has no effect.
      `\boxed 4` is read too, up to a dollar sign or the end.

    No box: 0. For answers that are equal as mathematics, see math_equivalence. Details: `answer`.
    """
    normalise = NORMALISE[params.normalise]
    responses, references = columns.objects("response"), columns.objects("reference")

    def compute_row(i: int) -> Row:
        boxed, wanted = last_boxed(responses[i]), last_boxed(references[i])
        if params.mode == "math":
            boxed = unbraced_box(responses[i]) if boxed is None else boxed
            wanted = unbraced_box(references[i]) if wanted is None else wanted
        if boxed is None:
            return Row(0.0, details={"answer": None})
        if wanted is None:
            wanted = references[i]
        equal = spelled_alike(boxed, wanted) if params.mode == "math" else normalise(boxed) == normalise(wanted)
        return Row(float(equal), details={"answer": boxed})

    return by_row(columns.size, compute_row)
