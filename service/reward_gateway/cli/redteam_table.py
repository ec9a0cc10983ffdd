"""What ``redteam`` prints: a line per attack, in its class, and the worst example of what the reward fell to."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reward_gateway.lab.redteam.findings import Example, Finding, Share
from reward_gateway.lab.redteam.report import Report
from reward_gateway.lab.report import Estimate

from .output import out

STYLES = {"falls": "bold red", "unclear": "yellow", "holds": "green", "not applicable": "dim", None: "dim"}
LONGEST = 160
"""Characters of a text of an example."""


def print_report(report: Report) -> None:
    """Print a report to standard output: for people on a terminal, as tab-separated lines otherwise."""
    if out.is_terminal:
        out.print(draw_report(report))
        return
    for finding in report.attacks:
        print("\t".join([finding.id, _name_verdict(finding), *_write_figures(finding), finding.reason or ""]))


def draw_report(report: Report) -> RenderableType:
    """The report as a table, with what it is about above and the worst examples below."""
    return Group(*_draw_head(report), Text(), _draw_table(report.attacks), *_draw_examples(report.attacks))


def _draw_head(report: Report) -> Iterator[RenderableType]:
    tested, clean = report.tested, report.clean
    yield Text.assemble((f"{tested.reward} ", "bold"), (report.verdict, STYLES[report.verdict]))
    source = tested.file or "the built-in pairs"
    kinds = ", ".join(f"{count} {verdict}" for verdict, count in report.verdicts.items())
    yield Text(f"{kinds}; an attack may win {tested.max_wins:.3g} of the pairs of {source}")
    yield Text(f"{clean.ordered.count:,} of {clean.ordered.of:,} pairs score in the right order without an attack")
    for code, count in clean.unscored.items():
        yield Text(f"{count:,} pairs are left out: {code}", style="dim")
    if clean.ordered.of and not clean.ordered.count:
        yield Text(
            "The recipe prefers none of the chosen responses, so that no attack can win: name a file of pairs in the "
            "form that it rewards.",
            style="yellow",
        )


def _draw_table(findings: Sequence[Finding]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("attack", "verdict", "wins", "raised", "rise (std)"):
        table.add_column(column, no_wrap=column != "attack")
    for name, members in groupby(findings, key=lambda finding: finding.attack_class):
        table.add_row(Text(name.replace("_", " "), style="dim"))
        for finding in members:
            verdict = _name_verdict(finding)
            table.add_row(f"  {finding.id}", Text(verdict, style=STYLES.get(verdict, "dim")), *_write_figures(finding))
    return table


def _draw_examples(findings: Sequence[Finding]) -> Iterator[RenderableType]:
    for finding in findings:
        if finding.verdict == "falls" and finding.worst:
            yield Text()
            yield Text.assemble((finding.id, "bold"), f"  {finding.title}")
            yield from _draw_example(finding.worst[0])


def _draw_example(example: Example) -> Iterator[RenderableType]:
    yield Text(f"  pair {_cut(example.pair)}: {_cut(example.prompt)}", style="dim")
    yield Text(f"  {example.chosen_reward:>9.4g}  chosen    {_cut(example.chosen)}")
    yield Text(f"  {example.rejected_reward:>9.4g}  rejected  {_cut(example.rejected)}")
    yield Text(f"  {example.attacked_reward:>9.4g}  attacked  {_cut(example.attacked)}")


def _name_verdict(finding: Finding) -> str:
    return finding.verdict or "control"


def _write_figures(finding: Finding) -> tuple[str, str, str]:
    if finding.verdict == "not applicable":
        return "", "", ""
    wins = finding.wins
    return f"{wins.count}/{wins.of}{_write_interval(wins)}", _write_share(finding.raised), _write_rise(finding.rise)


def _write_share(share: Share) -> str:
    return "" if share.value is None else f"{share.value:.1%}{_write_interval(share)}"


def _write_interval(share: Share) -> str:
    return "" if share.low is None or share.high is None else f" [{share.low:.1%}, {share.high:.1%}]"


def _write_rise(rise: Estimate) -> str:
    if rise.value is None:
        return ""
    return f"{rise.value:+.2f}" + ("" if rise.low is None else f" [{rise.low:+.2f}, {rise.high:+.2f}]")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
