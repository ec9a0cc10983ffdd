"""``judges``: measure a judge on labelled data before its grades are trained on."""

import asyncio
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reward_gateway.lab.intervals import wilson_interval
from reward_gateway.lab.kappa import cohens_kappa
from reward_gateway.observer import Observer

from .completion import complete_judge
from .judge_agreement import accuracy, self_consistency
from .output import FAULTY, AsJson, Unusable, err, print_table
from .progress import progress_bar

if TYPE_CHECKING:
    from reward_gateway.backends.judges.judges import Judges

app = typer.Typer(help="Judges: check.", no_args_is_help=True)

WINNERS = {"A": "response", "B": "other", "1": "response", "0": "other", "0.5": "tie", "tie": "tie"}
YES_NO = {"true": "yes", "yes": "yes", "1": "yes", "false": "no", "no": "no", "0": "no"}


@app.callback()
def judges() -> None:
    """Judges: check."""


@dataclass(slots=True)
class Run:
    """What one pass over the data gave: the answers as labels, None where one could not be read, and what it took."""

    answers: list[str | None] = field(default_factory=list)
    agreed: list[float | None] = field(default_factory=list)
    tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0


@dataclass(slots=True)
class Spent(Observer):
    """Adds up what answers took, those that could not be read among them."""

    tokens: int = 0
    cost: float = 0.0
    on_answer: Callable[[], None] = lambda: None

    def judge_answered(self, judge: str, prompt_tokens: int, completion_tokens: int, cost: float) -> None:
        self.on_answer()
        self.tokens += prompt_tokens + completion_tokens
        self.cost += cost


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="Name of the judge.", autocompletion=complete_judge)],
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            help="JSON Lines: prompt, response and label (1 to 10); with reference: yes or no; with other: "
            "response, other or tie.",
        ),
    ],
    repeats: Annotated[int, typer.Option("--repeats", min=1, max=32, help="Times that every sample is judged.")] = 2,
    params: Annotated[
        str,
        typer.Option("--params", help='Parameters of the operation that judges, as JSON: {"high": 5}.'),
    ] = "{}",
    judges_file: Annotated[
        Path | None, typer.Option("--judges", help="Judges file.", show_default="the settings' one")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a judge on labelled data: agreement with the labels (accuracy and Cohen's kappa with 95 % intervals),
    position bias, self-consistency over repeats, answers that cannot be read, tokens, seconds and cost per sample.
    Exit 1 if no answer could be read."""
    from reward_gateway.backends.judges.config import JudgesFileError, load_judges
    from reward_gateway.errors import InvalidRequest, NotFound

    from .configuration import read_settings

    operation, items, labels = read_labelled(data)
    given = _read_params(params, name)
    try:
        configs = [c for c in load_judges(judges_file or read_settings().judges_file) if c.name == name]
        if not configs:
            raise Unusable(f"there is no judge {name!r} in the judges file (--judges, REWARD_GATEWAY_JUDGES_FILE)")
        runs = asyncio.run(_measure(configs, operation, items, given, repeats))
    except (JudgesFileError, NotFound, InvalidRequest) as error:
        raise Unusable(str(error)) from None
    figures = summarize(labels, runs)
    if as_json:
        print(json.dumps({key: None if math.isnan(value) else value for key, value in figures.items()}))
    else:
        print_table(("figure", "value"), ((key, "" if math.isnan(v) else f"{v:.6g}") for key, v in figures.items()))
    if figures["unread"] == 1.0:
        err.print(f"{name}: no answer could be read: is it reached, and does it answer in the form asked for?")
        raise typer.Exit(FAULTY)


def _read_params(text: str, name: str) -> dict[str, Any]:
    try:
        params = json.loads(text)
    except ValueError:
        params = None
    if not isinstance(params, dict):
        raise Unusable("--params is no JSON object")
    return {**params, "judge": name}


def read_labelled(path: Path) -> tuple[str, list[dict[str, Any]], list[str]]:
    """The operation that judges the rows, their items, and their labels in the operation's words. Raises Unusable."""
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise Unusable(f"{path} cannot be read as JSON Lines ({type(error).__name__})") from None
    if not rows or not all(isinstance(row, dict) and "response" in row and "label" in row for row in rows):
        raise Unusable(f"{path}: every row needs a response and a label")
    pairs, references = ({key in row for row in rows} for key in ("other", "reference"))
    if len(pairs) > 1 or (pairs == {False} and len(references) > 1):
        raise Unusable(f"{path}: either every row has an other (or a reference), or none has")
    operation = "judge_pairwise" if True in pairs else "judge_reference" if True in references else "judge_rubric"
    items = [{k: row[k] for k in ("prompt", "response", "other", "reference") if k in row} for row in rows]
    return (
        operation,
        items,
        [_read_label(operation, row["label"], f"{path}: row {i + 1}") for i, row in enumerate(rows)],
    )


def _read_label(operation: str, label: Any, where: str) -> str:
    whole = isinstance(label, float) and label.is_integer()
    text = str(int(label) if whole else label).strip()
    if operation == "judge_rubric":
        try:
            return str(round(float(text)))
        except (ValueError, OverflowError):
            raise Unusable(f"{where}: the label is no grade") from None
    words = WINNERS | {"response": "response", "other": "other"} if operation == "judge_pairwise" else YES_NO
    found = words.get(text) or words.get(text.lower()) or words.get(text.upper())
    if found is None:
        raise Unusable(f"{where}: the label is not one of {', '.join(dict.fromkeys(words.values()))}")
    return found


async def _measure(
    configs: Any, operation: str, items: list[dict[str, Any]], params: dict[str, Any], repeats: int
) -> list[Run]:
    from reward_gateway.backends.judges.judges import Judges
    from reward_gateway.cache.breaker import Breaker

    # A pair is asked about in both orders. What is asked again or cannot be read makes it a few more or less.
    expected = len(items) * repeats * (2 if operation == "judge_pairwise" else 1)
    progress = progress_bar(kept=False)
    bar = progress.add_task("judging", total=expected)
    spent = Spent(on_answer=lambda: progress.advance(bar))
    judges = Judges(configs, lambda changed: Breaker(len(items) * 4, time.monotonic, changed=changed), spent)
    try:
        with progress:
            return [await _judge(judges, spent, operation, items, params) for _ in range(repeats)]
    finally:
        await judges.close()


async def _judge(
    judges: "Judges", spent: Spent, operation: str, items: list[dict[str, Any]], params: dict[str, Any]
) -> Run:
    """One pass: the operation as it scores, with its questions answered by the judge."""
    from reward_gateway.operations.apply import apply
    from reward_gateway.operations.effects import (
        AskJudge,
        AskJudgeAgain,
        AskJudgeForTokens,
        FindFallbackJudge,
        FindJudgeLimits,
    )
    from reward_gateway.operations.registry import catalog
    from reward_gateway.scoring.judge_questions import ask_again, ask_for_texts, ask_for_tokens
    from reward_gateway.scoring.request_context import RequestContext

    found = catalog().get("score", operation)
    if found is None:
        raise Unusable(f"there is no operation score/{operation}")
    run, started = Run(), time.monotonic()
    tokens, cost = spent.tokens, spent.cost
    steps = apply(found, items, params)
    answer: Any = None
    while True:
        try:
            effect = steps.send(answer)
        except StopIteration as stop:
            results = stop.value
            break
        context = RequestContext(cache="off")
        match effect:
            case AskJudge():
                answer = await ask_for_texts(judges, effect, context)
            case AskJudgeForTokens():
                answer = await ask_for_tokens(judges, effect, context)
            case AskJudgeAgain():
                answer = await ask_again(judges, effect, context)
            case FindFallbackJudge() | FindJudgeLimits():
                answer = None  # it is this judge that is measured, with all the time that it needs
            case _:
                raise Unusable(f"score/{operation} asks for more than a judge")
    run.seconds, run.tokens, run.cost = time.monotonic() - started, spent.tokens - tokens, spent.cost - cost
    for result in results:
        details = result.get("details") or {}
        run.answers.append(None if result["reward"] is None else _name_answer(operation, result["reward"], details))
        run.agreed.append(details.get("agreed"))
    return run


def _name_answer(operation: str, reward: float, details: dict[str, Any]) -> str:
    match operation:
        case "judge_pairwise":
            return str(details["verdict"])
        case "judge_reference":
            return "yes" if reward == 1 else "no"
        case _:
            return str(round(next(iter(details["grades"].values()))))


def summarize(labels: list[str], runs: list[Run]) -> dict[str, float]:
    """The figures by name; NaN where one does not apply. Costs are in the currency of the judge's price."""
    read = [(label, answer) for label, answer in zip(labels, runs[0].answers, strict=True) if answer is not None]
    given, told = [label for label, _ in read], [answer for _, answer in read]
    share, (kappa, kappa_interval) = accuracy(given, told), cohens_kappa(given, told)
    interval, calls = wilson_interval(share, len(read)), len(labels) * len(runs)
    agreed = [share for run in runs for share in run.agreed if share is not None]
    return {
        "samples": len(labels),
        "accuracy": share,
        "accuracy_low": interval[0],
        "accuracy_high": interval[1],
        "kappa": kappa,
        "kappa_low": kappa_interval[0],
        "kappa_high": kappa_interval[1],
        "position_bias": 1 - sum(agreed) / len(agreed) if agreed else math.nan,
        "self_consistency": self_consistency([run.answers for run in runs]),
        "unread": sum(answer is None for run in runs for answer in run.answers) / calls,
        "tokens_per_sample": sum(run.tokens for run in runs) / calls,
        "seconds_per_sample": sum(run.seconds for run in runs) / calls,
        "cost_per_sample": sum(run.cost for run in runs) / calls,
    }
