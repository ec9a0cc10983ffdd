"""Does the response's SQL query give the rows that the right one gives?"""

from typing import Any, Literal

import numpy as np
from pydantic import Field

from reward_gateway.sample import Invalid

from ..columns import Columns
from ..effects import Effectful
from ..outcome import Outcome, invalid_field
from ..reading.alternatives import Reference
from ..reading.params import FinalTextParams
from ..registry import OperationItem, Source, operation
from ..sql import is_ordered
from ..sql_results import MOST_ROWS, REL_TOL, Order, read_query, same_rows
from ..time_limits import ADAPTIVE_TIMEOUT, tell_limits
from ..timed_queries import run_timed_queries


class Params(FinalTextParams):
    order: Literal["auto", "ordered", "multiset", "set"] = Field(
        "auto",
        description="auto: in order where the right query itself says ORDER BY, else as a multiset. set: in any order "
        "and however often a row stands there, as BIRD compares.",
    )
    rel_tol: float = Field(
        REL_TOL, ge=0, lt=1, description="Tolerance of numbers of which one is no integer, as a share."
    )
    max_rows: int = Field(MOST_ROWS, ge=1, le=1_000_000, description="Rows that a result may have.")
    timeout_s: float = Field(5.0, gt=0, le=60, description="Time for one query, without what it waits for a CPU.")
    adaptive_timeout: float | None = ADAPTIVE_TIMEOUT


class Item(OperationItem):
    response: str = Field(description="Response with a query: in a fence, in <answer> or <sql>, or nothing else.")
    reference: Reference = Field(description="The right query.")
    database: str | dict[str, Any] = Field(
        description="Name of a database: of a stored set of kind databases, or in the operator's folder "
        "(NAME/NAME.sqlite); or {schema, rows: {table: [[…]]}}, or {file_b64}: an SQLite file."
    )


@operation(
    "score",
    "sql_execution",
    item=Item,
    params=Params,
    source=Source("Spider: semantic evaluation by test suites", "https://arxiv.org/abs/2010.02840"),
    fidelity="recalled",
    rule_fields=("database",),
)
def sql_execution(columns: Columns, params: Params) -> Effectful[Outcome]:
    """1 if the response's query gives the rows of the right query, else 0.

    Both run read-only in the sandbox, on the item's database. Rows are compared in order where the right query says
    ORDER BY, else as multisets; columns by their place, not by their name. 1 is 1.0, numbers that are no integers may
    differ by `rel_tol`, texts and numbers differ. A query that fails, takes too long or gives too many rows earns 0;
    a right query that does, and a database that cannot be built, are item errors. Details: `error` of the query, `rows`
    of both, `limit_s` (of the query, where its problem has a limit of its own).
    """
    responses, references, databases = (columns.objects(name) for name in ("response", "reference", "database"))
    pairs = [
        (read_query(response), read_query(reference)) for response, reference in zip(responses, references, strict=True)
    ]
    queries = yield from run_timed_queries(
        pairs,
        databases,
        timeout_s=params.timeout_s,
        adaptive_timeout=params.adaptive_timeout,
        max_rows=params.max_rows,
        gold="reference",
    )
    outcome = Outcome(reward=np.full(columns.size, np.nan))
    assert outcome.reward is not None
    errors: list[str | None] = [None] * columns.size
    counts: list[list[int | None] | None] = [None] * columns.size
    for i, answer in enumerate(queries.answers):
        if not pairs[i][1]:
            outcome.invalid[i] = invalid_field("reference: holds no query", "reference")
        elif isinstance(answer, Invalid):
            outcome.invalid[i] = answer
        else:
            order: Order = (
                params.order if params.order != "auto" else ("ordered" if is_ordered(pairs[i][1]) else "multiset")
            )
            right = answer.rows is not None and same_rows(answer.rows, answer.gold_rows, order, params.rel_tol)
            outcome.reward[i] = float(right)
            errors[i] = answer.error
            counts[i] = [None if answer.rows is None else len(answer.rows), len(answer.gold_rows)]
    yield from queries.note_right(i for i in range(columns.size) if outcome.reward[i] == 1)
    outcome.details = {"error": errors, "rows": counts, **tell_limits(columns.size, queries.limits)}
    return outcome
