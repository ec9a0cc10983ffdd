"""Answers of which some are equal as mathematics, sorted into classes of equal ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from reward_gateway.sample import Invalid

from ..effects import CompareMath, Effectful, perform
from .decide import decide
from .decision import Question, Tolerance


@dataclass(slots=True)
class Classes:
    """Which of some answers are equal.

    Attributes:
        leaders: answer -> the first one that it equals, itself if there is none before it.
        failed: answer -> why it could not be compared with an answer before it; it is in no class.
    """

    leaders: dict[str, str] = field(default_factory=dict)
    failed: dict[str, Invalid] = field(default_factory=dict)

    def find_open(self, answers: Sequence[str]) -> list[str]:
        """The answers that are in no class yet and have not failed, in their order."""
        return [answer for answer in answers if answer not in self.leaders and answer not in self.failed]


def sort_equal(
    groups: Sequence[Sequence[str]], tolerance: Tolerance, timeout_s: float, *, too_hard_differs: bool = False
) -> Effectful[list[Classes]]:
    """The classes of each group: an answer joins the first class whose first answer it equals.

    The first answer that is in no class leads the next; all others that are in none are compared with it, those of all
    groups together, and so on until every answer has its class. So d answers of c classes take at most d · c
    comparisons, of which few need computer algebra.

    Args:
        groups: the answers of each, no two of a group with one spelling.
        timeout_s: processor time for one comparison by computer algebra.
        too_hard_differs: what cannot be compared in time is another answer, and has not failed.
    """
    classes = [Classes() for _ in groups]
    waiting = {g: list(answers) for g, answers in enumerate(groups)}
    while waiting := {g: found for g, answers in waiting.items() if (found := classes[g].find_open(answers))}:
        asked: list[tuple[int, str, Question]] = []
        for g, (leader, *others) in waiting.items():
            classes[g].leaders[leader] = leader
            for answer in others:
                decision = decide(leader, answer, tolerance)
                if isinstance(decision, Question):
                    asked.append((g, answer, decision))
                elif decision.equal:
                    classes[g].leaders[answer] = leader
        if not asked:
            continue
        pairs = [(question.reference, question.response) for _, _, question in asked]
        effect = CompareMath(pairs, tolerance.rel_tol, tolerance.min_digits, tolerance.strict, timeout_s)
        for (g, answer, _), verdict in zip(asked, (yield from perform(effect)), strict=True):
            if not isinstance(verdict, Invalid):
                if verdict[0]:
                    classes[g].leaders[answer] = waiting[g][0]
            elif verdict.code != "operation_error" or not too_hard_differs:
                classes[g].failed[answer] = verdict
    return classes
