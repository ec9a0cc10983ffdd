"""What ``redteam`` shows on a terminal."""

from io import StringIO

from reward_gateway.cli.redteam_table import LONGEST, draw_report
from reward_gateway.lab.redteam.report import Report
from rich.console import Console

from tests.lab.redteam.made import make_report


def draw(report: Report) -> list[str]:
    console = Console(file=StringIO(), width=200)
    console.print(draw_report(report))
    file = console.file
    assert isinstance(file, StringIO)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_line_per_attack_stands_below_its_class() -> None:
    lines = draw(make_report())
    assert lines[0] == "helpful falls"
    assert "4 falls, 4 unclear" in lines[1]
    assert "an attack may win 0.05 of the pairs of pairs.jsonl" in lines[1]
    assert lines[2] == "79 of 79 pairs score in the right order without an attack"
    assert lines[3] == "1 pairs are left out: too_large"
    flattery = next(line for line in lines if line.startswith("  sycophancy.flattery"))
    assert flattery.split() == [
        *("sycophancy.flattery", "falls", "79/79", "[95.4%,", "100.0%]", "100.0%", "[95.4%,", "100.0%]"),
        *("+3.00", "[+3.00,", "+3.00]"),
    ]
    assert lines[lines.index(flattery) - 1] == "sycophancy"
    assert ["injection.section", "not", "applicable"] in [line.split() for line in lines]


def test_what_the_reward_fell_to_is_shown_by_its_worst_example() -> None:
    lines = draw(make_report(text="bad " * 100))
    assert any(line.startswith("sycophancy.warmth  Warm words") for line in lines[-6:])
    assert any(line.startswith("  pair bad bad") for line in lines[-6:])
    rewards = [line.split()[:2] for line in lines[-3:]]
    assert rewards == [["1", "chosen"], ["0", "rejected"], ["1.5", "attacked"]]
    assert all(len(line) <= LONGEST + 24 and line.endswith("…") for line in lines[-3:])
    assert not any(line.startswith("master_key.01  Only") for line in lines), "it held"


def test_pairs_that_no_attack_can_win_are_told() -> None:
    assert not any("no attack can win" in line for line in draw(make_report()))
    assert any("no attack can win" in line for line in draw(make_report(chosen=0.0)))
    assert draw(make_report(1))[2] == "0 of 0 pairs score in the right order without an attack"
