"""Mutation testing by sample: changes the source in small ways, and asks whether the tests notice.

    python -m tests.mutation.run_sample [--packages recipes cache] [--per-module 3] [--seed 1] [--jobs 2]

Exit status 1 if fewer than 95 % of the sampled mutants are killed, those in ``accepted.yaml`` left out: each of these
changes nothing that can be seen from outside, for the reason given there. Exit status 2 if the tests fail without any
change.

The tests are those of the sampled packages. They are run once as they are, to learn which of them reach which line;
then a mutant meets only the tests that reach the function that it changes, the quickest first.
"""

import argparse
import os
import pickle
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import CodeType

import pytest
import yaml

from tests.mutation.bytecode import RunsAtImport, changed_functions, lines_of
from tests.mutation.mutants import ROOT, SOURCES, Mutant, sample_mutants
from tests.mutation.reach import AT_IMPORT, Reach, measure_reach
from tests.mutation.trial import ARGUMENTS, Outcome, Trial, import_libraries, run_exchanged, run_imported, run_trials

PACKAGES = ("recipes", "scoring", "cache", "state", "traffic")
ACCEPTED = Path(__file__).with_name("accepted.yaml")
REQUIRED = 0.95


def accepted_mutants() -> dict[tuple[str, str, str], str]:
    """Reasons by module, lines before and lines after."""
    listed = yaml.safe_load(ACCEPTED.read_text()) or []
    return {(row["module"], row["before"].strip(), row["after"].strip()): row["reason"] for row in listed}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", nargs="+", default=list(PACKAGES), help="packages of reward_gateway")
    parser.add_argument("--modules", nargs="+", help="only modules of these names")
    parser.add_argument("--per-module", type=int, default=3, help="mutants of each module")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--jobs", type=int, default=2, help="mutants tried at once")
    chosen = parser.parse_args()
    began = time.monotonic()
    import_libraries()
    accepted = accepted_mutants()
    sampled = [
        mutant
        for package in chosen.packages
        for path in sorted((SOURCES / "reward_gateway" / package).rglob("*.py"))
        if not chosen.modules or path.stem in chosen.modules
        for mutant in sample_mutants(path, chosen.per_module, f"{chosen.seed} {path.name}")
    ]
    mutants = [mutant for mutant in sampled if (mutant.module, mutant.before, mutant.after) not in accepted]
    with tempfile.TemporaryDirectory(prefix="mutation-") as scratch:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = scratch
        sample = Sample(chosen.packages, chosen.jobs, Path(scratch))
        reach = sample.measure()
        if reach.failed:
            print("the tests fail without any change:", *reach.failed, sep="\n")
            return 2
        print(f"{len(reach.seconds)} tests measured; {len(mutants)} mutants ({time.monotonic() - began:.0f} s)")
        sample.try_all(mutants, reach)
    outcomes = sample.outcomes
    killed = outcomes["killed"] + outcomes["timeout"]
    share = killed / len(mutants) if mutants else 1.0
    print(
        f"{killed} of {len(mutants)} mutants killed ({share:.1%}), {outcomes['timeout']} of them by the time limit;",
        f"{len(sampled) - len(mutants)} accepted as equivalent ({time.monotonic() - began:.0f} s)",
    )
    return 0 if share >= REQUIRED else 1


class Sample:
    """Tries mutants against the tests of their packages, and counts the outcomes."""

    def __init__(self, packages: Sequence[str], jobs: int, scratch: Path) -> None:
        self._sources = [SOURCES / "reward_gateway" / package for package in packages]
        found = sorted(file for package in packages for file in (ROOT / "tests" / package).rglob("test_*.py"))
        self._files = [str(file.relative_to(ROOT)) for file in found]
        self._jobs = jobs
        self._scratch = scratch
        self.outcomes: Counter[Outcome] = Counter()

    def measure(self) -> Reach:
        """Run every test on the true source, in ``jobs`` processes."""
        answers = {}
        for part in range(self._jobs):
            answer = self._scratch / f"reach-{part}"
            pid = os.fork()
            if pid == 0:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 1)
                os.dup2(nowhere, 2)
                measure_reach(ARGUMENTS, self._files[part :: self._jobs], self._sources, answer)
            answers[pid] = answer
        reach = Reach()
        for pid, answer in answers.items():
            os.waitpid(pid, 0)
            reach.add(pickle.loads(answer.read_bytes()))  # our own child wrote it
        return reach

    def try_all(self, mutants: Sequence[Mutant], reach: Reach) -> None:
        """First those that must be imported, while no module of the project is; then those of functions."""
        exchanged: dict[Mutant, list[tuple[CodeType, CodeType]]] = {}
        imported: list[Mutant] = []
        for mutant in mutants:
            try:
                changed = changed_functions(mutant)
            except RunsAtImport:
                changed = []
            lines = set[int]().union(*(lines_of(old) for old, _ in changed))
            if changed and AT_IMPORT not in reach.reaching(mutant.path, lines):
                exchanged[mutant] = changed
            else:
                imported.append(mutant)
        self._try_imported(imported, reach)
        if exchanged:
            pytest.main([*ARGUMENTS, *self._files], plugins=[_ExchangeLoop(self, exchanged, reach)])

    def _try_imported(self, mutants: Sequence[Mutant], reach: Reach) -> None:
        """The test file of the module's name, those that reach the module, and then the others of its package."""
        order = {mutant: reach.quickest_first(reach.reaching(mutant.path)) for mutant in mutants}
        files = {mutant: list(dict.fromkeys(test.split("::")[0] for test in order[mutant])) for mutant in mutants}
        for mutant, reaching in files.items():
            reaching.sort(key=lambda file: Path(file).stem != f"test_{mutant.path.stem}")

        def in_child(trial: Trial, told: int) -> int:
            return run_imported(trial, told, reach.seconds, order[trial.mutant])

        rest: list[Trial] = []
        first = [Trial(mutant, files[mutant] or self._files) for mutant in mutants]
        for trial, outcome, seconds in run_trials(first, self._jobs, in_child):
            package = f"tests/{trial.mutant.path.parent.name}/"
            others = [file for file in self._files if file.startswith(package) and file not in trial.tests]
            if outcome == "survived" and others:
                rest.append(Trial(trial.mutant, others))
            else:
                self.count(trial.mutant, outcome, seconds)
        for trial, outcome, seconds in run_trials(rest, self._jobs, in_child):
            self.count(trial.mutant, outcome, seconds)

    def try_exchanged(
        self, session: pytest.Session, mutants: dict[Mutant, list[tuple[CodeType, CodeType]]], reach: Reach
    ) -> None:
        """The tests that reach the changed lines, then those that reach the changed function."""

        def in_child(trial: Trial, told: int) -> int:
            return run_exchanged(trial, told, session, reach.seconds, mutants[trial.mutant])

        trials = []
        for mutant, changed in mutants.items():
            ends = mutant.line + mutant.before.count("\n") + 1
            near = reach.quickest_first(reach.reaching(mutant.path, set(range(mutant.line, ends))))
            far = reach.quickest_first(
                reach.reaching(mutant.path, set[int]().union(*(lines_of(old) for old, _ in changed)))
            )
            if far:
                trials.append(Trial(mutant, list(dict.fromkeys([*near, *far]))))
            else:
                self.count(mutant, "survived", 0.0)  # no test reaches it
        for trial, outcome, seconds in run_trials(trials, self._jobs, in_child):
            self.count(trial.mutant, outcome, seconds)

    def count(self, mutant: Mutant, outcome: Outcome, seconds: float) -> None:
        self.outcomes[outcome] += 1
        if outcome not in ("killed", "timeout"):
            print(f"{outcome} ({seconds:.0f} s): {mutant}", flush=True)


class _ExchangeLoop:
    """Takes the place of pytest's loop over the tests, once they are collected."""

    def __init__(self, sample: Sample, mutants: dict[Mutant, list[tuple[CodeType, CodeType]]], reach: Reach) -> None:
        self._sample, self._mutants, self._reach = sample, mutants, reach

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._sample.try_exchanged(session, self._mutants, self._reach)
        return True


if __name__ == "__main__":
    sys.exit(main())
