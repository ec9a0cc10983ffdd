"""What a judge is asked about an item, and what of that is the same whatever is judged."""

from dataclasses import dataclass

from .effects import Conversation


@dataclass(frozen=True, slots=True)
class JudgeQuestion:
    """A question to a judge.

    Attributes:
        conversation: chat messages.
        problem: a name of what it is about beside the response: its wording, prompt and reference. A judge takes about
            as long for each question of one problem, which its ``adaptive_timeout`` goes by. Empty: not known.
    """

    conversation: Conversation
    problem: str
