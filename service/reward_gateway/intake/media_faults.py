"""Why an image cannot be used: a code of the closed set of reasons, and a sentence that repeats nothing of it."""

from typing import Literal

from reward_gateway.sample import Invalid

FaultCode = Literal["invalid_media", "too_large", "deadline_exceeded"]


class MediaFault(ValueError):
    """An image that cannot be used.

    Args:
        sentence: what is wrong and what would be right, without its full stop.
    """

    def __init__(self, sentence: str, code: FaultCode = "invalid_media") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code

    def at(self, param: str) -> Invalid:
        """The reason, said of a place below the sample; of no place in particular, where it is empty."""
        return Invalid(self.code, f"{param}: {self.sentence}" if param else self.sentence, param=param or None)
