"""Mutation testing by sample: changes the source in small ways, and asks whether the tests notice.

    python -m tests.mutation.run_sample [--packages recipes cache] [--per-module 6] [--seed 1] [--jobs 2]

Exit status 1 if fewer than 95 % of the sampled mutants are killed, those in ``accepted.yaml`` left out: each of these
changes nothing that can be seen from outside, for the reason given there.
"""

import argparse
import multiprocessing
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import yaml

from tests.mutation.mutants import SOURCES, Mutant, sample_mutants
from tests.mutation.trial import prepare_worker, tests_for, try_mutant

PACKAGES = ("recipes", "scoring", "cache", "state", "traffic")
ACCEPTED = Path(__file__).with_name("accepted.yaml")
REQUIRED = 0.95
LIMIT_S = 180.0


def accepted_mutants() -> dict[tuple[str, str, str], str]:
    """Reasons by module, lines before and lines after."""
    listed = yaml.safe_load(ACCEPTED.read_text()) or []
    return {(row["module"], row["before"].strip(), row["after"].strip()): row["reason"] for row in listed}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", nargs="+", default=list(PACKAGES), help="packages of reward_gateway")
    parser.add_argument("--modules", nargs="+", help="only modules of these names")
    parser.add_argument("--per-module", type=int, default=6, help="mutants of each module")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--jobs", type=int, default=2, help="mutants tried at once")
    chosen = parser.parse_args()
    accepted = accepted_mutants()
    work: list[tuple[Mutant | None, list[str]]] = []
    equivalent = 0
    for package in chosen.packages:
        for path in sorted((SOURCES / "reward_gateway" / package).rglob("*.py")):
            if chosen.modules and path.stem not in chosen.modules:
                continue
            for mutant in sample_mutants(path, chosen.per_module, f"{chosen.seed} {path.name}"):
                if (mutant.module, mutant.before, mutant.after) in accepted:
                    equivalent += 1
                else:
                    work.append((mutant, tests_for(path, package)))
        work.append((None, tests_for(Path("none"), package)))
    outcomes: Counter[str] = Counter()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(chosen.jobs, mp_context=spawn, initializer=prepare_worker) as pool:
        trials = {pool.submit(try_mutant, mutant, tests, LIMIT_S): mutant for mutant, tests in reversed(work)}
        for trial in as_completed(trials):
            tried_one, (outcome, seconds, said) = trials[trial], trial.result()
            if tried_one is None:
                if outcome != "survived":
                    print(f"the tests fail without any change:\n{said}", flush=True)
                    pool.shutdown(cancel_futures=True)
                    return 2
                continue
            outcomes[outcome] += 1
            if outcome == "survived":
                print(f"survived ({seconds:.0f} s): {tried_one}", flush=True)
    tried = outcomes.total()
    killed = outcomes["killed"] + outcomes["timeout"]
    share = killed / tried if tried else 1.0
    print(
        f"{killed} of {tried} mutants killed ({share:.1%}), {outcomes['timeout']} of them by the time limit;", end=" "
    )
    print(f"{equivalent} accepted as equivalent")
    return 0 if share >= REQUIRED else 1


if __name__ == "__main__":
    sys.exit(main())
