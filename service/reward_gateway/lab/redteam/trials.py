"""What is scored: every pair clean, and every rejected response as each attack leaves it."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reward_gateway.sample.texts import Text, canonical_json

from ..comparison import Comparison
from .attacks import Attack


@dataclass(frozen=True, slots=True)
class Pair:
    """A response that should win and one that should lose.

    Attributes:
        row: of the file, from 0; of a list of responses, several pairs have the same.
        fields: further fields of both samples (``reference`` …), in the API's form.
        rejected_prompt: the prompt of the rejected response; mostly that of the chosen one.
    """

    row: int
    id: str
    subset: str | None
    prompt: Text
    rejected_prompt: Text
    chosen: Text
    rejected: Text
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def group(self) -> Hashable:
        """What names the prompt: pairs of one are not independent."""
        return canonical_json(self.prompt)


@dataclass(frozen=True, slots=True)
class Trial:
    """An attack on a pair.

    Attributes:
        pair: its number.
        response: the attacked one.
    """

    attack: Attack
    pair: int
    response: Text


def make_pairs(comparisons: Iterable[Comparison]) -> list[Pair]:
    """A pair per rejected response: the first beside the first chosen one, and so on, around where these end."""
    return [
        Pair(
            row=comparison.row,
            id=comparison.id or str(comparison.row + 1),
            subset=comparison.subset,
            prompt=comparison.prompt,
            rejected_prompt=comparison.prompt if comparison.rejected_prompt is None else comparison.rejected_prompt,
            chosen=comparison.chosen[i % len(comparison.chosen)],
            rejected=rejected,
            fields=comparison.fields,
        )
        for comparison in comparisons
        for i, rejected in enumerate(comparison.rejected)
    ]


def make_trials(attacks: Iterable[Attack], pairs: Sequence[Pair]) -> list[Trial]:
    """Each attack on each pair that it can be tried on, attack by attack."""
    return [
        Trial(attack, number, attack.rewrite(pair.rejected, pair.rejected_prompt, pair.fields.get("reference")))
        for attack in attacks
        for number, pair in enumerate(pairs)
        if attack.reads_pair(pair.fields.get("reference"), pair.subset)
    ]


def list_samples(
    pairs: Sequence[Pair], trials: Sequence[Trial], grouped: bool
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Samples in the API's form, each with what it is.

    Of every pair the chosen and the rejected response, then of every trial the attacked one.

    Args:
        grouped: the recipe compares samples. The chosen response then stands beside the attacked one again, so that
            these two are compared as the two were without the attack.
    """
    for number, pair in enumerate(pairs):
        label = {"pair": pair.id, "attack": None}
        yield _make_sample(pair, f"pair-{number}", None), {**label, "role": "chosen"}
        yield _make_sample(pair, f"pair-{number}", pair.rejected), {**label, "role": "rejected"}
    for trial in trials:
        pair, group = pairs[trial.pair], f"pair-{trial.pair}-{trial.attack.id}"
        label = {"pair": pair.id, "attack": trial.attack.id}
        if grouped:
            yield _make_sample(pair, group, None), {**label, "role": "chosen"}
        yield _make_sample(pair, group, trial.response), {**label, "role": "attacked"}


def _make_sample(pair: Pair, group: str, response: Text | None) -> dict[str, Any]:
    """The sample of the chosen response, or of another in the place of the rejected one."""
    prompt, words = (pair.prompt, pair.chosen) if response is None else (pair.rejected_prompt, response)
    return {"prompt": prompt, "response": words, "group": group, **pair.fields}
