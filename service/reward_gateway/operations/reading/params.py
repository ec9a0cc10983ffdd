"""The parameters of operations over a response's text: which part of it they read, and whose turns."""

from typing import Literal

from pydantic import Field

from ..registry import OperationParams
from .response import Part, Turns


class TextParams(OperationParams):
    """Base of the parameters of every operation that reads the text of a response by a rule.

    The operation is given the part that is asked for, as a plain text; see :mod:`.view`.
    """

    text: Part = Field(
        "whole",
        description="What is read of the response. final: its last turn without the reasoning. whole: all turns of the "
        "assistant. reasoning: what stands in <think> and its like, or in reasoning_content.",
    )
    turns: Turns = Field(
        "own",
        description="Of a response with several turns: the assistant's own, or all, those of tools too.",
    )
    reasoning: Literal["auto", "opened"] = Field(
        "auto",
        description="opened: the prompt has opened the reasoning (<think>), so a response begins inside it. auto: it "
        "has where the prompt ends in the opening tag.",
    )
    unfinished: Literal["wrong", "read"] = Field(
        "wrong",
        description="For text: final. A response that ends inside its reasoning has no answer: wrong gives 0; read "
        "looks for an answer in all of it.",
    )


class FinalTextParams(TextParams):
    """For operations about an answer: they read the final text."""

    text: Part = Field("final", description=TextParams.model_fields["text"].description)
