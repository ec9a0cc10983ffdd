"""How far the components of a recipe with conditions are: which may begin, and which are to be finished."""

from collections.abc import Callable, Sequence

from .component_plan import ComponentPlan


class Progress:
    """The components of one evaluation: each waits, is asked for, is answered, and is finished if others read it.

    Args:
        components: all, in an order in which each stands behind those that it reads.

    Attributes:
        awaited: names of those that others read.
    """

    def __init__(self, components: Sequence[ComponentPlan]) -> None:
        self.awaited = frozenset[str]().union(*(component.needs for component in components))
        self._waiting = list(components)
        self._unanswered: dict[str, int] = {}
        self._finished: set[str] = set()
        self._to_finish: dict[str, tuple[ComponentPlan, frozenset[str]]] = {}
        stateful: list[str] = []
        for component in components:
            if component.name in self.awaited:
                keeps_state = any(step.stateful for step in component.steps)
                self._to_finish[component.name] = component, frozenset(stateful if keeps_state else ())
                stateful += [component.name] if keeps_state else []

    def take_ready(self, is_held_back: Callable[[ComponentPlan], bool]) -> list[ComponentPlan]:
        """Those that may begin, because all that they read are finished; they do not wait any longer."""
        ready: list[ComponentPlan] = []
        waiting: list[ComponentPlan] = []
        for component in self._waiting:
            may_begin = component.needs <= self._finished and not is_held_back(component)
            (ready if may_begin else waiting).append(component)
        self._waiting = waiting
        return ready

    def begin(self, component: ComponentPlan, calls: int) -> None:
        """So many answers are expected for a component."""
        self._unanswered[component.name] = calls

    def count_answer(self, component: ComponentPlan) -> None:
        """One of them has come."""
        self._unanswered[component.name] -= 1

    def is_answered(self, component: ComponentPlan) -> bool:
        """Whether all answers for a component have come."""
        return self._unanswered.get(component.name) == 0

    def take_answered(self) -> ComponentPlan | None:
        """One that is to be finished because others read it, if there is one; nobody else is told to finish it.

        Those that keep state are finished one after the other, so that the state does not depend on which was scored
        first.
        """
        for component, before in self._to_finish.values():
            if self.is_answered(component) and before <= self._finished:
                del self._to_finish[component.name]
                return component
        return None

    def finish(self, component: ComponentPlan) -> None:
        """Those that read a component may have its value."""
        self._finished.add(component.name)
