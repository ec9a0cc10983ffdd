"""What models have said while a recipe with conditions is evaluated, and the calls for what they have not said yet."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from reward_gateway.operations.effects import AskModels, Effectful, perform
from reward_gateway.operations.reading.response import Part
from reward_gateway.sample import Batch, Invalid, RawScores

from .component_plan import ComponentPlan
from .component_rows import PartRows
from .model_scores import ModelScores, select_dimension

NOT_ASKED = Invalid("internal_error", "the model is not asked about this sample")
"""Excludes a row from a call of a model; no sample has this reason in the end."""

Question = tuple[Part, str]
"""A model, and the part of the responses that it is shown."""


@dataclass(frozen=True, slots=True)
class Call:
    """Something that is asked for parts of components.

    Attributes:
        seconds: the limit of the most patient of its parts; None: none.
    """

    parts: Sequence[ComponentPlan]
    computation: Effectful[None]
    seconds: float | None


class AskedModels:
    """The models of one evaluation. Each is asked once about a row, and about some rows after the other.

    Args:
        show: the batch with a part of each response in place of the response.
        awaited: names of the components that others wait for.
        fallbacks: a model that is away may be stood in for by its fallback.
    """

    def __init__(self, show: Callable[[Part], Batch], awaited: Collection[str], *, fallbacks: bool) -> None:
        self._show, self._awaited, self._fallbacks = show, awaited, fallbacks
        self._said: dict[Question, ModelScores] = {}
        self._asking: set[Question] = set()

    def is_asking_for(self, component: ComponentPlan) -> bool:
        """Whether a model of a component is being asked: which rows it still has to be asked about shows afterwards."""
        return any((part.text, part.model) in self._asking for part in component.parts)

    def make_calls(self, parts: Sequence[PartRows]) -> list[Call]:
        """Calls about the rows in which a part needs its model and which that was not asked about before.

        Models that are shown the same of the same rows are called together, unless something waits for one of them.
        """
        wanted: dict[Question, set[int]] = {}
        for part, rows in parts:
            if part.model is not None:
                wanted.setdefault((part.text, part.model), set()).update(rows.valid())
        calls: dict[tuple[Part, frozenset[int], float | None, str], list[str]] = {}
        readers: dict[Question, list[ComponentPlan]] = {question: [] for question in wanted}
        for part, _ in parts:
            if part.model is not None:
                readers[part.text, part.model].append(part)
        for (text, model), asked in wanted.items():
            said = self._said.get((text, model))
            if missing := frozenset(asked if said is None else asked - said.rows):
                reading = readers[text, model]
                alone = model if any(part.name in self._awaited for part in reading) else ""
                calls.setdefault((text, missing, _most_seconds(reading), alone), []).append(model)
                self._asking.add((text, model))
        return [
            Call(
                [part for model in models for part in readers[text, model]],
                self._ask(text, models, missing),
                seconds,
            )
            for (text, missing, seconds, _), models in calls.items()
        ]

    def _ask(self, text: Part, models: Sequence[str], asked: frozenset[int]) -> Effectful[None]:
        yield from self._fetch(text, models, asked)
        self._asking.difference_update((text, model) for model in models)

    def _fetch(
        self, text: Part, models: Sequence[str], asked: frozenset[int], *, anew: bool = False
    ) -> Effectful[None]:
        """Ask models about some rows; ``anew``: what they said before counts no longer, once they have answered."""
        shown = self._show(text)
        left_out = {i: NOT_ASKED for i in range(shown.size) if i not in asked}
        answers = yield from perform(AskModels(tuple(models), replace(shown, invalid=left_out), self._fallbacks))
        others: dict[frozenset[int], list[str]] = {}
        for model, (scores, dimensions) in answers.items():
            more = ModelScores(scores, dimensions, asked)
            before = None if anew else self._said.get((text, model))
            if before is None or before.scores.model == scores.model:
                self._said[text, model] = more if before is None else before.joined(more)
            else:  # it was away before, or is now: all rows are scored by one of both
                others.setdefault(asked | before.rows, []).append(model)
        for every, again in others.items():
            yield from self._fetch(text, again, every, anew=True)

    def read_scores(self, part: ComponentPlan, rows: Sequence[int]) -> RawScores:
        """What a model has said of the rows in which a part of the recipe is computed."""
        said = self._said[part.text, part.model or ""]
        return select_dimension(part, said.within(rows), said.dimensions)


def _most_seconds(parts: Iterable[ComponentPlan]) -> float | None:
    limits = [part.timeout_s for part in parts]
    return None if None in limits else max(filter(None, limits))
