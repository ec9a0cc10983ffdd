"""Returns to go (DT4IER): what is still to come, for one reward or for an immediate and a long-term one together."""

from collections.abc import Mapping

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..numerics import return_to_go as returns_of
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Decision transformer for immediate feedback and retention (DT4IER)", "https://arxiv.org/abs/2404.03637"
)


class Params(OperationParams):
    gamma: float = Field(1.0, ge=0, le=1, description="Discount; the paper's returns are undiscounted.")
    balance: float = Field(0.5, ge=0, le=1, description="Weight of the first sequence; the second has the rest.")


class Item(OperationItem):
    rewards: dict[str, list[float]] | list[float] = Field(
        description="One reward sequence, or one or two by name (immediate, then long-term), of one length."
    )
    balance: float | None = Field(
        None, description="Weight of the first sequence, 0 to 1. If omitted: that of the params."
    )


@operation(
    "credit",
    "return_to_go",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="second-hand",
    returns="vector",
    turn_fields={"rewards": 0},
)
def return_to_go(columns: Columns, params: Params) -> Outcome:
    """Return to go of one or two reward sequences, and their balance.

    G_t = Σ_(k ≥ t) γ^(k−t) r_k, γ = 1. With two named sequences (immediate and long-term) `rewards` is
    balance · first + (1 − balance) · second, balance = .5, which an item may override for its user (the balancing is
    our design: the published re-weighting by user is not public). With one, it is that one's return.

    Sequences must be of one length; more than two, none, or a balance outside [0, 1] is an item error. An empty
    sequence gives an empty one. Details: `returns` by name.
    """
    given, balances = columns.objects("rewards"), columns.floats("balance", params.balance)

    def compute_row(i: int) -> Row:
        named = given[i] if isinstance(given[i], Mapping) else {"reward": given[i]}
        if not 1 <= len(named) <= 2:
            raise ItemError("give one or two reward sequences", param="rewards")
        sequences = {name: np.asarray(values, dtype=np.float64) for name, values in named.items()}
        lengths = {len(values) for values in sequences.values()}
        if len(lengths) > 1:
            raise ItemError(f"the sequences must be of one length, and are of {sorted(lengths)}", param="rewards")
        balance = float(balances[i])
        if not 0 <= balance <= 1:
            raise ItemError("balance must lie in [0, 1]", param="balance")
        returns = {name: returns_of(values, params.gamma) for name, values in sequences.items()}
        first, *rest = returns.values()
        mixed = balance * first + (1 - balance) * rest[0] if rest else first
        return Row(rewards=mixed.tolist(), details={"returns": {name: g.tolist() for name, g in returns.items()}})

    return by_row(columns.size, compute_row)
