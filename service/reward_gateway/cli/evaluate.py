"""``evaluate PAIRS``: how often one or two rewards prefer what people prefer, with a running service."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reward_gateway import __version__
from reward_gateway.lab.outcomes import Ties

from .completion import complete_reward
from .output import FAULTY, ApiKey, AsJson, Run, Unusable, Url, err, out, print_error, without_password
from .scored_folder import score_into
from .whole_files import write_whole

if TYPE_CHECKING:
    from reward_gateway.lab.layouts import Preferences
    from reward_gateway.lab.report import Report
    from reward_gateway.lab.scores import RewardScores

    from .sample_scores import Asking

MOST = 2
"""Rewards that are compared at a time."""


def _print_schema(wanted: bool) -> None:
    if wanted:
        import msgspec

        from reward_gateway.lab.report import report_schema

        print(msgspec.json.format(msgspec.json.encode(report_schema()), indent=2).decode())
        raise typer.Exit


def evaluate(
    pairs: Annotated[Path, typer.Argument(help="Preferences: .jsonl, .csv or .parquet.")],
    rewards: Annotated[
        list[str],
        typer.Option(
            "--reward",
            help="Name of the recipe; give it twice to compare two.",
            show_default=False,
            autocompletion=complete_reward,
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder of the report and the scores.", show_default="PAIRS without its suffix, .evaluation"
        ),
    ] = None,
    layout: Annotated[
        str | None, typer.Option("--layout", help="Layout of the file.", show_default="recognised by its columns")
    ] = None,
    ties: Annotated[Ties, typer.Option("--ties", help="What equal scores count.")] = Ties.HALF,
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            "--min-accuracy",
            min=0,
            max=1,
            help="Exit 1 if the lower end of a reward's 95 % interval is below this.",
            show_default=False,
        ),
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    training_run: Run = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=4096, help="Samples per request.")] = 256,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=64, help="Concurrent requests.")] = 4,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Timeout per request in seconds, retries included.")
    ] = 600.0,
    as_json: AsJson = False,
    _schema: Annotated[
        bool,
        typer.Option("--schema", callback=_print_schema, is_eager=True, help="Print the JSON Schema of the report."),
    ] = False,
) -> None:
    """Measure rewards on a file of preferences.

    Layouts: pairs, hh, rewardbench, rewardbench2, rm-bench, judgebench, helpsteer2, helpsteer3, best-of-k. The report
    is printed, and written to OUT as report.json and report.html. Run the same command again to resume a run that was
    stopped; a different recipe, recipe version, model version or service is refused. Samples without a score are left
    out and counted. Recipes that compare samples are measured before the comparison (reward_raw).
    """
    from .preference_files import read_preference_file
    from .sample_scores import Asking

    if len(rewards) > MOST:
        raise Unusable(f"--reward takes one recipe, or two to compare, not {len(rewards)}")
    if len(set(rewards)) < len(rewards):
        raise Unusable(f"--reward names {rewards[0]} twice: name another recipe to compare it with")
    found = read_preference_file(pairs, layout)
    folder = to or pairs.with_name(f"{pairs.stem}.evaluation")
    asking = Asking(url, api_key, training_run, batch, concurrency, timeout_s)
    scores = _score_all(found, pairs, rewards, folder, asking)
    with err.status("measuring"):
        report = _make_report(found, pairs, scores, asking, ties, min_accuracy)
    _write(report, found, folder, as_json)
    _judge(report, min_accuracy)


def _score_all(
    found: "Preferences", pairs: Path, rewards: list[str], folder: Path, asking: "Asking"
) -> "list[RewardScores]":
    """The scores of all responses by each reward, kept in the folder as they come."""
    from .sample_scores import Samples, score_samples

    samples, labels = [], []
    for comparison in found.comparisons:
        for place, sample in enumerate(comparison.samples()):
            rejected = place - len(comparison.chosen)
            which = {"chosen": place} if rejected < 0 else {"rejected": rejected}
            samples.append(sample)
            labels.append({"row": comparison.row + 1, **which})
    made = Samples(pairs, samples, labels)

    async def score() -> "list[RewardScores]":
        await asking.find_rewards(rewards)  # so that an unknown second one is refused before the first is scored
        return [
            await score_samples(made, reward, folder / f"scores.{side}.jsonl", asking)
            for side, reward in zip("ab", rewards, strict=False)
        ]

    return score_into(folder, score())


def _make_report(
    found: "Preferences",
    pairs: Path,
    scores: "list[RewardScores]",
    asking: "Asking",
    ties: Ties,
    min_accuracy: float | None,
) -> "Report":
    from reward_gateway.lab.intervals import RESAMPLES, SEED
    from reward_gateway.lab.measure import measure_rewards
    from reward_gateway.lab.report import Measured, Report
    from reward_gateway.sample import prompt_group

    with pairs.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    measured = Measured(
        file=pairs.name,
        sha256=digest,
        layout=found.layout.name,
        rows=found.rows,
        left_out=dict(found.left_out),
        comparisons=len(found.comparisons),
        prompts=len({prompt_group(comparison.prompt) for comparison in found.comparisons}),
        service=without_password(asking.address),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        gateway_version=__version__,
        ties=ties,
        min_accuracy=min_accuracy,
        resamples=RESAMPLES,
        seed=SEED,
    )
    return Report(1, measured, *measure_rewards(found.comparisons, scores, ties))


def _write(report: "Report", found: "Preferences", folder: Path, as_json: bool) -> None:
    from reward_gateway.lab.page.evaluation import render_report
    from reward_gateway.lab.report import encode_report

    from .evaluation_summary import summarize_report

    encoded = encode_report(report)
    write_whole(folder / "report.json", encoded)
    write_whole(folder / "report.html", render_report(report, found.comparisons).encode("utf-8", "replace"))
    if as_json:
        print(encoded.decode(), end="")
    else:
        out.print(summarize_report(report))
    err.print(f"report: {folder / 'report.html'}", markup=False, soft_wrap=True)


def _judge(report: "Report", least: float | None) -> None:
    """End with 1 where a reward could not be measured, or is not accurate enough.

    Of a file with nothing but the subset Ties of RewardBench 2 its score is taken.
    """
    from reward_gateway.lab.words import without_score

    faults = []
    for reward in report.rewards:
        ties = reward.ties_subset
        low = reward.accuracy.low if reward.accuracy.n or ties is None else ties.score.low
        if low is None:
            faults.append(f"{reward.name}: no comparison has all its scores: {without_score(reward)}")
        elif least is not None and low < least:
            faults.append(f"{reward.name}: the 95 % interval begins at {low:.4f}, below --min-accuracy {least:g}")
    for fault in faults:
        print_error(fault)
    if faults:
        raise typer.Exit(FAULTY)
