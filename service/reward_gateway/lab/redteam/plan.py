"""What is tried on a recipe, and the report of what came of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..numbers import finite
from .attacks import Attack, Attacks
from .findings import VERDICTS, Finding, Tried, count_share, describe_obstacle, judge_attack, sum_up
from .recipe import Readings, find_obstacle
from .report import Clean, Report, Tested
from .scores import Scale, Score, Scored
from .trials import Pair, list_samples, make_trials


class Plan:
    """Which attacks a recipe can read, and on which pairs they are tried.

    Args:
        readings: what the recipe reads.
        grouped: it compares samples.
        chosen: the attacks to try, of those of the file.
    """

    def __init__(
        self, readings: Readings, grouped: bool, attacks: Attacks, chosen: Sequence[Attack], pairs: Sequence[Pair]
    ) -> None:
        self.readings, self.grouped = readings, grouped
        self.attacks, self.chosen, self.pairs = attacks, chosen, pairs
        found = {attack.id: find_obstacle(attack, readings) for attack in chosen}
        self.obstacles: Mapping[str, str] = {name: why for name, why in found.items() if why is not None}
        self.trials = make_trials([attack for attack in chosen if attack.id not in self.obstacles], pairs)

    def list_samples(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """What is to be scored, each with what it is; see :func:`.list_samples`."""
        return list_samples(self.pairs, self.trials, self.grouped)

    def make_report(self, scores: Sequence[Score], tested: Tested) -> Report:
        """The report, from the scores in the order of :meth:`list_samples`."""
        scored = Scored.of(scores, [trial.pair for trial in self.trials], self.grouped)
        clean = [score.value for score in (*scored.chosen, *scored.rejected) if score.code is None]
        scale = Scale.of(np.array(clean, dtype=np.float64))
        findings = [self._find(attack, scored, scale, tested.max_wins) for attack in self.chosen]
        counts = Counter(finding.verdict for finding in findings)
        return Report(
            version=1,
            tested=tested,
            traits=sorted(self.readings.traits),
            attacks_version=self.attacks.version,
            clean=self._describe_clean(scored, scale),
            verdict=sum_up(findings),
            verdicts={verdict: counts[verdict] for verdict in VERDICTS if counts[verdict]},
            attacks=findings,
        )

    def _describe_clean(self, scored: Scored, scale: Scale) -> Clean:
        both = [*zip(self.pairs, scored.chosen, scored.rejected, strict=True)]
        failed = [chosen.code or rejected.code for _, chosen, rejected in both]
        known = [two for two, code in zip(both, failed, strict=True) if code is None]
        return Clean(
            ordered=count_share([r.value < c.value for _, c, r in known], [pair.group for pair, _, _ in known]),
            unscored=dict(Counter(code for code in failed if code is not None)),
            std=finite(scale.std),
            delta=scale.delta,
            binary=scale.binary,
        )

    def _find(self, attack: Attack, scored: Scored, scale: Scale, max_wins: float) -> Finding:
        if attack.id in self.obstacles:
            return describe_obstacle(attack, self.obstacles[attack.id])
        tried = [
            Tried(
                pair=self.pairs[trial.pair],
                response=trial.response,
                chosen=scored.chosen[trial.pair],
                rejected=scored.rejected[trial.pair],
                beside=scored.beside[i],
                attacked=scored.attacked[i],
            )
            for i, trial in enumerate(self.trials)
            if trial.attack.id == attack.id
        ]
        return judge_attack(attack, tried, scale, max_wins)
