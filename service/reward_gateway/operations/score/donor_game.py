"""The donor game: what is left to each agent after an episode of giving, punishing and refusing."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..members import entry
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Cultural Evolution of Cooperation among LLM Agents", "https://arxiv.org/abs/2412.10270")


class Params(OperationParams):
    gain: float = Field(2.0, ge=0, description="The recipient gets this many times the donation.")
    loss: float = Field(2.0, ge=0, description="Punishment costs the recipient this many times the punisher's price.")
    gamma: float = Field(0.5, ge=0, description="Weight of the past in a reputation.")


class Move(OperationItem):
    round: int = Field(1, description="Round of the move, in which order moves are played; if omitted: 1.")
    donor: str = Field(description="Agent that moves.")
    recipient: str = Field(description="Agent that receives, or is punished.")
    action: str = Field("donate", description="donate, punish or refuse.")
    amount: float | str | None = Field(None, description="Units; what is no number, or not affordable, is rejected.")


class Item(OperationItem):
    agents: dict[str, float] = Field(description="Endowment by agent.")
    moves: list[Move] = Field(description="Moves of the game; within a round they are played in this order.")


@dataclass(slots=True)
class Game:
    """The state of one episode, and what a report on it needs."""

    resources: dict[str, float]
    reputation: dict[str, float] = field(default_factory=dict)
    fractions: list[float] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)

    def play(self, place: int, move: Any, params: Params) -> None:
        donor, recipient = entry(move, "donor"), entry(move, "recipient")
        for name in (donor, recipient):
            if name not in self.resources:
                raise ItemError(f"moves[{place}] names {name!r}, who is no agent", param=f"moves[{place}]")
        action = entry(move, "action", "donate")
        if action == "refuse":
            return
        amount = affordable(entry(move, "amount"), self.resources[donor])
        if amount is None or donor == recipient or action not in ("donate", "punish"):
            self.rejected.append(place)
            amount, action = 0.0, "donate"
        fraction = amount / self.resources[donor] if self.resources[donor] > 0 else 1.0
        self.resources[donor] -= amount
        if action == "punish":
            self.resources[recipient] = max(0.0, self.resources[recipient] - params.loss * amount)
            return
        self.resources[recipient] += params.gain * amount
        self.fractions.append(fraction)
        self._update_reputation(donor, recipient, fraction, params.gamma)

    def _update_reputation(self, donor: str, recipient: str, fraction: float, gamma: float) -> None:
        if donor not in self.reputation:
            self.reputation[donor] = fraction
            return
        other = self.reputation.get(recipient)
        just = fraction if other is None else 1.0 - abs(fraction - other)
        self.reputation[donor] = (just + gamma * self.reputation[donor]) / (1.0 + gamma)


def affordable(amount: Any, resources: float) -> float | None:
    """The amount as a number if it is one between 0 and the resources, else None."""
    try:
        number = float(amount)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and 0.0 <= number <= resources else None


@operation("score", "donor_game", item=Item, params=Params, source=SOURCE, fidelity="verified", returns="vector")
def donor_game(columns: Columns, params: Params) -> Outcome:
    """Final resources of every agent of a donor game, with the measures of cooperation.

    - `donate` x: donor − x, recipient + gain · x (gain 2)
    - `punish` x (costly): donor − x, recipient = max(0, resources − loss · x) (loss 2)
    - `refuse`: nothing

    A move is legal if 0 ≤ x ≤ the donor's resources. An amount that is no number or not affordable, an unknown action
    or a gift to oneself is taken as a donation of 0 and listed in `rejected` (our choice). Moves are played by round,
    and in their order within a round. The fraction given is x / resources, 1 without resources. An odd number of agents
    (there are no pairs), a negative endowment or an unknown name: an item error.

    A reputation is the fraction of the first donation; later ((1 − |f − reputation of the recipient|) + γ · own) /
    (1 + γ), γ = .5, and (f + γ · own) / (1 + γ) while the recipient has none (our choice).

    `rewards`: resources in the order of `agents`. Details: `resources`, `mean_resources` (the paper's headline),
    `mean_fraction` over donations (null without one), `reputation`, `survivors` (the better half, ties by order),
    `rejected` (places in `moves`).
    """
    agents, moves = columns.objects("agents"), columns.objects("moves")
    return by_row(columns.size, lambda i: _play_episode(agents[i], moves[i], params))


def _play_episode(agents: Mapping[str, float], moves: Sequence[Any], params: Params) -> Row:
    if not agents or len(agents) % 2:
        raise ItemError(f"{len(agents)} agents cannot be paired; give an even number of them", param="agents")
    if min(agents.values()) < 0:
        raise ItemError("an endowment is 0 or more", param="agents")
    game = Game({name: float(value) for name, value in agents.items()})
    for place in sorted(range(len(moves)), key=lambda k: int(entry(moves[k], "round", 1))):
        game.play(place, moves[place], params)
    final = list(game.resources.values())
    best = sorted(game.resources, key=lambda name: -game.resources[name])[: len(final) // 2]
    return Row(
        rewards=final,
        details={
            "resources": dict(game.resources),
            "mean_resources": float(np.mean(final)),
            "mean_fraction": float(np.mean(game.fractions)) if game.fractions else None,
            "reputation": dict(game.reputation),
            "survivors": best,
            "rejected": sorted(game.rejected),
        },
        flags=("illegal_move",) if game.rejected else (),
    )
