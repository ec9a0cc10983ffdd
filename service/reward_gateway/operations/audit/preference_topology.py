"""The shape of preference data: how far apart two answers are in the comparisons that link them."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, Source, operation

SOURCE = Source("Reward Generalization in RLHF: A Topological Perspective", "https://arxiv.org/abs/2402.10184")

Node = str | int
LARGEST = 4096


class Item(OperationItem):
    edges: list[list[str | int | float]] = Field(
        description="Comparisons [a, b, β], undirected; β > 0, and the variance of one is π² / (3 β²)."
    )
    pairs: list[list[str | int]] | None = Field(
        None, description="Pairs of nodes [a, b] whose distance is asked. If omitted: all pairs of nodes."
    )


def variance(beta: float) -> float:
    """Variance of a logistic of scale 1/β: π² / (3 β²)."""
    ratio = math.pi / beta
    return ratio * ratio / 3.0


def shortest_edges(edges: Sequence[Sequence[Any]]) -> dict[tuple[Node, Node], float]:
    """Variance by ordered pair of nodes; of parallel edges the surest."""
    shortest: dict[tuple[Node, Node], float] = {}
    for k, edge in enumerate(edges):
        if len(edge) != 3 or isinstance(edge[2], str):
            raise ItemError(f"edges[{k}] must be [node, node, beta]", param=f"edges[{k}]")
        a, b, beta = edge
        if beta <= 0:
            raise ItemError(f"the beta of edges[{k}] must be above 0", param=f"edges[{k}]")
        if a != b:
            for pair in ((a, b), (b, a)):
                shortest[pair] = min(variance(float(beta)), shortest.get(pair, math.inf))
    return shortest


def distances(edges: Sequence[Sequence[Any]], pairs: Sequence[Sequence[Node]]) -> FloatArray:
    """[len(pairs)] least variance of a path; 0 from a node to itself, inf where no path is."""
    shortest = {pair: length for pair, length in shortest_edges(edges).items() if math.isfinite(length)}
    numbers: dict[Node, int] = {}
    for node in (node for pair in (*shortest, *pairs) for node in pair):
        numbers.setdefault(node, len(numbers))
    if len(numbers) > LARGEST:
        raise ItemError(f"at most {LARGEST} nodes; these are {len(numbers)}")
    if not pairs:
        return np.empty(0)
    rows, ends = ([numbers[pair[side]] for pair in shortest] for side in (0, 1))
    # Imported here: it takes a third of a second that every start of the service would wait for.
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    graph = csr_array((list(shortest.values()), (rows, ends)), shape=(len(numbers), len(numbers)))
    starts = sorted({numbers[a] for a, _ in pairs})
    table = dijkstra(graph, indices=starts)
    place = {start: k for k, start in enumerate(starts)}
    return np.array([0.0 if a == b else table[place[numbers[a]], numbers[b]] for a, b in pairs])


@operation(
    "audit",
    "preference_topology",
    item=Item,
    source=SOURCE,
    fidelity="recalled",
    returns="vector",
    cost=Cost(row=100.0, unit=3.0, square=0.05),
)
def preference_topology(columns: Columns, _: Any) -> Outcome:
    """Uncertainty of a reward model over a graph of comparisons: variance between answers that were never compared.

    An edge [a, b, β] is a comparison whose label is logistic with scale 1/β, variance π² / (3 β²). Variances add along
    a path; d(a, b) is the least of them over paths (Dijkstra), an upper bound, as parallel paths would lower it. Edges
    are undirected; a repeated edge counts by its greatest β. That d is a variance of inference is the paper's; the path
    form is recalled.

    `rewards`: d in the order of `pairs` (all pairs of nodes, in the order of their first edge, if left out), null where
    no path leads. β ≤ 0 or an edge of another form: an item error. Details: `mean` and `max` over the pairs that are
    reached (null without one), `unreachable` (their places), `pairs`.
    """
    edges, asked = columns.objects("edges"), columns.objects("pairs")

    def compute_row(i: int) -> Row:
        pairs = asked[i]
        if pairs is None:
            nodes = dict.fromkeys(node for edge in edges[i] for node in edge[:2])
            pairs = [list(pair) for pair in combinations(nodes, 2)]
        for k, pair in enumerate(pairs):
            if len(pair) != 2:
                raise ItemError(f"pairs[{k}] must be [node, node]", param=f"pairs[{k}]")
        lengths = distances(edges[i], pairs)
        reached = lengths[np.isfinite(lengths)]
        return Row(
            rewards=[length if math.isfinite(length) else None for length in lengths.tolist()],
            details={
                "mean": float(reached.mean()) if len(reached) else None,
                "max": float(reached.max()) if len(reached) else None,
                "unreachable": np.flatnonzero(~np.isfinite(lengths)).tolist(),
                "pairs": pairs,
            },
        )

    return by_row(columns.size, compute_row)
