"""What a pair of rewards says of a preference, and what it costs when the label disagrees."""

from pydantic import Field
from scipy.special import expit

from ..columns import Columns
from ..numerics import softplus
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Rank Analysis of Incomplete Block Designs: The Method of Paired Comparisons (Bradley and Terry, 1952)",
    "https://doi.org/10.2307/2334029",
)


class Params(OperationParams):
    beta: float = Field(1.0, gt=0, description="Inverse temperature.")


class Item(OperationItem):
    chosen: float = Field(description="Reward of the answer that was preferred.")
    rejected: float = Field(description="Reward of the other one.")


@operation("audit", "bradley_terry", item=Item, params=Params, source=SOURCE, fidelity="recalled")
def bradley_terry(columns: Columns, params: Params) -> Outcome:
    """Probability of a preference from two rewards, with the loss of a reward model on the pair.

    P = σ(β (r_chosen − r_rejected)); details: `nll` = −log P, the loss of every Bradley–Terry reward model, `margin` =
    r_chosen − r_rejected, `correct` (r_chosen > r_rejected).
    """
    margin = columns.floats("chosen") - columns.floats("rejected")
    return Outcome(
        reward=expit(params.beta * margin),
        details={
            "nll": softplus(-params.beta * margin).tolist(),
            "margin": margin.tolist(),
            "correct": (margin > 0).tolist(),
        },
    )
