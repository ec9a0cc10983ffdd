"""Layouts of several responses to a prompt: RewardBench 2, RM-Bench, best of k."""

from ..comparison import Comparison, Rule
from .fields import read_fields
from .layout import Layout
from .values import (
    LeftOut,
    Row,
    RowError,
    is_messages,
    is_text,
    read_name,
    read_number,
    read_numbers,
    read_text,
    read_texts,
)

TIES = "Ties"
"""The subset of RewardBench 2 with its own rule."""


def _read_rewardbench2(number: int, row: Row) -> Comparison:
    chosen, rejected = read_texts(row, "chosen"), read_texts(row, "rejected")
    right, total = read_number(row, "num_correct"), read_number(row, "total_completions")
    if (right, total) != (len(chosen), len(chosen) + len(rejected)):
        raise RowError(
            f"num_correct is {right:g} and total_completions {total:g}, but there are {len(chosen)} chosen and "
            f"{len(rejected)} rejected responses"
        )
    subset, name = read_name(row, "subset"), read_name(row, "id") or ""
    if subset == TIES and name.partition(":")[0] not in ("ref", "tied"):
        raise RowError(f"id must be ref:NUMBER or tied:NUMBER in the subset {TIES}, not {name!r}")
    rule = Rule.TIES if subset == TIES else Rule.BEST
    fields = read_fields(row)
    return Comparison(number, read_text(row, "prompt"), chosen, rejected, rule, subset, name, fields=fields)


def _read_rm_bench(number: int, row: Row) -> Comparison:
    chosen, rejected = read_texts(row, "chosen", least=3), read_texts(row, "rejected", least=3)
    if (len(chosen), len(rejected)) != (3, 3):
        raise RowError("chosen and rejected must have three responses each: concise, detailed plain, detailed Markdown")
    return Comparison(
        number,
        read_text(row, "prompt"),
        chosen,
        rejected,
        Rule.MATRIX,
        read_name(row, "domain"),
        read_name(row, "id") or "",
        fields=read_fields(row),
    )


def _read_best_of_k(number: int, row: Row) -> Comparison:
    responses = read_texts(row, "responses", least=2)
    best = _best_of_labels(row, len(responses)) if row.get("best") is None else _best_by_index(row, len(responses))
    chosen = tuple(response for k, response in enumerate(responses) if k in best)
    rejected = tuple(response for k, response in enumerate(responses) if k not in best)
    return Comparison(
        number,
        read_text(row, "prompt"),
        chosen,
        rejected,
        Rule.BEST,
        read_name(row, "subset"),
        read_name(row, "id") or "",
        fields=read_fields(row),
    )


def _best_by_index(row: Row, size: int) -> set[int]:
    best = read_number(row, "best")
    if not best.is_integer() or not 0 <= best < size:
        raise RowError(f"best must be the index of a response, from 0 to {size - 1}, not {best:g}")
    return {int(best)}


def _best_of_labels(row: Row, size: int) -> set[int]:
    """The responses with the largest label."""
    if row.get("labels") is None:
        raise RowError("best or labels is missing")
    labels = read_numbers(row, "labels")
    if len(labels) != size:
        raise RowError(f"labels needs a number for each of the {size} responses, and has {len(labels)}")
    best = {k for k, label in enumerate(labels) if label == max(labels)}
    if len(best) == size:
        raise LeftOut("all labels are equal")
    return best


def _has_lists(row: Row) -> bool:
    """Whether ``chosen`` is a list of responses, and not messages or a text (in a CSV file: no JSON list)."""
    chosen = row.get("chosen")
    if isinstance(chosen, str):
        return chosen.lstrip().startswith("[")
    return isinstance(chosen, list | tuple) and not is_messages(chosen) and all(map(is_text, chosen))


LISTS = (
    Layout(
        "rewardbench2",
        "RewardBench 2",
        ("prompt", "chosen", "rejected", "num_correct", "total_completions", "subset"),
        _read_rewardbench2,
        more=("id",),
    ),
    Layout("rm-bench", "RM-Bench", ("prompt", "chosen", "rejected", "domain"), _read_rm_bench, fits=_has_lists),
    Layout(
        "best-of-k", "best of k", ("prompt", "responses"), _read_best_of_k, one_of=("best", "labels"), more=("subset",)
    ),
)
