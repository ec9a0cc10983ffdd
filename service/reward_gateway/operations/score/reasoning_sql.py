"""Reasoning-SQL: partial rewards for text-to-SQL, from the result of a query down to its words."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import Invalid

from ..answers.sections import has_section
from ..columns import Columns
from ..effects import Effectful
from ..grading.grade import Scale, read_grade
from ..grading.objects import make_schema
from ..judged import JudgeQuestion, ask_judge, find_injections
from ..names import JudgeName
from ..outcome import Outcome, invalid_field
from ..prompts import question
from ..registry import OperationItem, OperationParams, Source, operation
from ..sql import bigrams, is_ordered, jaccard, schema_items
from ..sql_results import MOST_ROWS, QueryPair, same_rows
from ..time_limits import ADAPTIVE_TIMEOUT, merge_limits, tell_limits
from ..timed_queries import run_timed_queries

SOURCE = Source(
    "Reasoning-SQL: Reinforcement Learning with SQL Tailored Partial Rewards", "https://arxiv.org/abs/2503.23157"
)

WEIGHTS = {"exec": 3.0, "judge": 2.0, "syntax": 1.0, "schema": 1.0, "ngram": 1.0, "format": 1.0}
FALLBACK_JUDGE = 0.2
SCHEMA = make_schema({"score": {"type": "number", "minimum": 0, "maximum": 1}})


class Params(OperationParams):
    judge: JudgeName | None = Field(
        None, description="Configured judge for wrong queries whose item has no judge score."
    )
    max_rows: int = Field(MOST_ROWS, ge=1, le=1_000_000, description="Rows that a result may have.")
    timeout_s: float = Field(5.0, gt=0, le=60, description="Time for one query, without what it waits for a CPU.")
    adaptive_timeout: float | None = ADAPTIVE_TIMEOUT


class Item(OperationItem):
    pred_sql: str = Field(description="Predicted query.")
    gold_sql: str = Field(description="The right query; rows are compared in order where it says ORDER BY.")
    db: str | dict[str, Any] | None = Field(
        None,
        description="Name of a stored database (a set of kind databases), or {schema, rows: {table: [[…]]}}, or "
        "{file_b64}: an SQLite file.",
    )
    pred_rows: list[list[Any]] | None = Field(
        None, description="Rows of the predicted query, null if it failed. If omitted: both queries run on `db`."
    )
    gold_rows: list[list[Any]] | None = Field(
        None, description="Rows of the right query; null is an error. If omitted: both queries run on `db`."
    )
    judge: float | None = Field(
        None, description="A judge's score, 0 to 1, for a wrong query. If omitted: that of params.judge, or 0."
    )
    format_ok: bool | float | None = Field(
        None, description="Whether the output keeps the format. If omitted: read from `output`."
    )
    output: str | None = Field(None, description="The model's full output. Left out, with format_ok: a format of 0.")
    pred_schema: list[str] | None = Field(
        None, description="Tables and columns of the predicted query. If omitted: read from its SQL."
    )
    gold_schema: list[str] | None = Field(
        None, description="Tables and columns of the right query. If omitted: read from its SQL."
    )

    @model_validator(mode="after")
    def _rows_or_a_database(self) -> Self:
        if self.db is None and not {"pred_rows", "gold_rows"} <= self.model_fields_set:
            raise ValueError("give pred_rows (null for a query that failed) and gold_rows, or db")
        return self


def tagged(output: str) -> bool:
    """Whether an output has its reasoning and its answer in tags."""
    reasoning = any(has_section(output, tag) for tag in ("think", "reasoning"))
    return reasoning and has_section(output, "answer")


def parse_judge(answer: str) -> float:
    """The judge's score, from 0 to 1."""
    return read_grade(answer, Scale(0, 1), "score")


@operation(
    "score", "reasoning_sql", item=Item, params=Params, source=SOURCE, fidelity="second-hand", judges_texts=False
)
def reasoning_sql(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Reward of a predicted SQL query, from 0 to 7: R = 3·exec + 2·judge + syntax + schema + ngram + format.

    exec: 1 if the two results hold the same rows (multisets; in order where the gold query itself says ORDER BY).
    judge: the judge's score in [0, 1], used only where exec is 0, else 0; a named judge that fails counts .2 and the
    item is flagged `judge_fallback`; without any it is 0; one that is stopped by its question's own limit
    (`adaptive_timeout`) gives no score. syntax: 1 if the predicted query ran. schema: Jaccard of the
    tables and columns that both use, from `pred_schema` and `gold_schema`, or read from the SQL. ngram: Jaccard of the
    sets of word bigrams. format: `format_ok`, or whether `output` has its reasoning and its answer in tags; 0 without
    either. A Jaccard of two empty sets is 1.

    Rows are `pred_rows` (null for a query that failed: exec is then 0) and `gold_rows`, or both queries run read-only
    in the sandbox on a copy of `db`. A database that cannot be built and a right query that fails are item errors.
    Wrong queries reach 6 and right ones start at 4, so look at the components, which all stand in the details, with
    `limit_s` (the shorter one of the query's and the judge's, where they have limits of their own). A judge score
    outside [0, 1] is an item error.
    """
    fields = {name: list(columns.objects(name)) for name in Item.model_fields}
    ran = [i for i, db in enumerate(fields["db"]) if db is not None]
    queries = yield from run_timed_queries(
        [(fields["pred_sql"][i], fields["gold_sql"][i]) for i in ran],
        [fields["db"][i] for i in ran],
        timeout_s=params.timeout_s,
        adaptive_timeout=params.adaptive_timeout,
        max_rows=params.max_rows,
        gold="gold_sql",
    )
    errors, invalid = _fill_in_rows(fields, dict(zip(ran, queries.answers, strict=True)))
    for i, rows in enumerate(fields["gold_rows"]):
        if rows is None and i not in invalid:
            invalid[i] = invalid_field("the right query has no rows to compare with: it failed", "gold_rows")
    parts: list[dict[str, float]] = []
    asked: dict[int, JudgeQuestion] = {}
    for i in range(columns.size):
        row = {name: values[i] for name, values in fields.items()}
        parts.append(_compute_components(row))
        if row["judge"] is not None and not 0 <= row["judge"] <= 1:
            invalid[i] = invalid_field("judge must lie in [0, 1]", "judge")
        elif i not in invalid and parts[i]["exec"] == 0 and row["judge"] is None and params.judge is not None:
            asked[i] = question("sql", {"correct_sql": row["gold_sql"], "predicted_sql": row["pred_sql"]})
    yield from queries.note_right(place for place, i in enumerate(ran) if i not in invalid and parts[i]["exec"] == 1)
    judged = yield from ask_judge(params.judge or "", asked, parse_judge, schema=SCHEMA)
    for i in asked:
        parts[i]["judge"] = judged.values.get(i, FALLBACK_JUDGE)
    reward = np.array([sum(weight * part[name] for name, weight in WEIGHTS.items()) for part in parts])
    details: dict[str, Sequence[Any]] = {name: [part[name] for part in parts] for name in WEIGHTS}
    own = {ran[place]: limit_s for place, limit_s in queries.limits.items()}
    details["judge_answer"] = judged.words(columns.size)
    details |= tell_limits(columns.size, merge_limits(own, judged.limits))
    if errors:
        details["errors"] = [errors.get(i) for i in range(columns.size)]
    flags = find_injections([query if i in asked else None for i, query in enumerate(fields["pred_sql"])])
    for i, reason in judged.invalid.items():
        if reason.code == "timeout":
            invalid[i] = reason
        else:
            flags[i] = ("judge_fallback", *flags.get(i, ()))
    return Outcome(reward, details=details, invalid=invalid, flags=flags)


def _compute_components(row: dict[str, Any]) -> dict[str, float]:
    predicted, gold = row["pred_rows"], row["gold_rows"]
    right = predicted is not None and gold is not None
    right = right and same_rows(predicted, gold, "ordered" if is_ordered(row["gold_sql"]) else "multiset")
    schemas = [
        {str(name).lower() for name in given} if given is not None else schema_items(row[query])
        for given, query in ((row["pred_schema"], "pred_sql"), (row["gold_schema"], "gold_sql"))
    ]
    form = row["format_ok"] if row["format_ok"] is not None else tagged(row["output"] or "")
    return {
        "exec": float(right),
        "judge": 0.0 if right or row["judge"] is None else float(row["judge"]),
        "syntax": float(predicted is not None),
        "schema": jaccard(set(schemas[0]), set(schemas[1])),
        "ngram": jaccard(set(bigrams(row["pred_sql"])), set(bigrams(row["gold_sql"]))),
        "format": float(bool(form)),
    }


def _fill_in_rows(
    fields: dict[str, list[Any]], answers: Mapping[int, QueryPair | Invalid]
) -> tuple[dict[int, list[str | None]], dict[int, Invalid]]:
    """Fill in the rows of items whose queries were run; why queries failed, and why items could not be answered."""
    errors: dict[int, list[str | None]] = {}
    invalid: dict[int, Invalid] = {}
    for i, answer in answers.items():
        if isinstance(answer, Invalid):
            invalid[i] = replace(answer, param="db") if answer.param == "database" else answer
            continue
        fields["pred_rows"][i], fields["gold_rows"][i] = answer.rows, answer.gold_rows
        errors[i] = [answer.error, None]
    return errors, invalid
