"""What a row of a preference set says: which responses to a prompt should score above which others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from reward_gateway.sample import Text


class Rule(StrEnum):
    """How a row is counted.

    ``PAIR``: one comparison, of the chosen and the rejected response.
    ``BEST``: one comparison, of all responses at once: is a chosen one on top?
    ``MATRIX``: a comparison of each chosen response with each rejected one.
    ``TIES``: several responses are equally right; counted over all such rows together (RewardBench 2).
    """

    PAIR = "pair"
    BEST = "best"
    MATRIX = "matrix"
    TIES = "ties"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row of a preference set.

    Attributes:
        row: its number in the file, from 0.
        prompt: a text, or messages.
        chosen, rejected: responses, at least one each; every chosen one should score above every rejected one.
        rule: how it is counted.
        subset: the part of the set it belongs to, None where the set has no parts.
        id: its name in the set, empty if it has none.
        rejected_prompt: the prompt of the rejected responses, where theirs is another.
        fields: further fields of the samples of all its responses (``reference``, ``rubric`` …), in the API's form.
    """

    row: int
    prompt: Text
    chosen: tuple[Text, ...]
    rejected: tuple[Text, ...]
    rule: Rule = Rule.PAIR
    subset: str | None = None
    id: str = ""
    rejected_prompt: Text | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def samples(self) -> Iterator[dict[str, Any]]:
        """One sample per response in the API's form, the chosen ones first.

        The group is the row: recipes that compare samples compare the responses of one row with each other.
        """
        other = self.prompt if self.rejected_prompt is None else self.rejected_prompt
        for prompt, responses in ((self.prompt, self.chosen), (other, self.rejected)):
            for response in responses:
                yield {"prompt": prompt, "response": response, "group": f"row-{self.row}", **self.fields}
