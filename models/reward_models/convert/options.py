"""What a person may say about a conversion; all of it has a default that the checkpoint's files decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KINDS: Mapping[str, str] = {
    "sequence": "sequence classification: K labels become K dimensions",
    "head": "a backbone and a head of its own (chained linear layers), on the last token or the mean over all",
    "steps": "process reward: a number for each step of the answer, by a head or by a language model's two words",
    "tokens": "token classification: a number for each token of the answer",
    "clip": "CLIP: the cosine of image and prompt",
    "pickscore": "CLIP: logit scale times the cosine",
    "hps": "CLIP: 100 times the cosine",
    "aesthetic": "CLIP's image side and a linear chain on its embedding",
}
"""Kind -> what it converts."""


@dataclass(frozen=True, slots=True)
class Options:
    """Choices of one conversion.

    Attributes:
        kind: one of KINDS; empty: by the checkpoint's configuration.
        revision: of a hub id: a branch, tag or commit.
        dtype: of the weights, ``float32`` or ``float16``.
        max_length: most tokens of a text; 0: what the checkpoint allows, at most 4096.
        template: ``chat``, ``pair`` or ``response``, or the path of a Jinja file; empty: ``chat`` where the
            checkpoint has a template, else ``pair`` for an encoder.
        truncate: ``left``, ``right`` or ``refuse``; empty: what the tokeniser's configuration says.
        dimensions: names of the scores; for steps and tokens, which summaries.
        output: ``logits``, ``sigmoid`` or ``softmax`` of the head's K numbers.
        head: a file of weights that holds the head, where the checkpoint does not.
        pool: of kind ``head``: ``last`` or ``mean``.
        activation: between the linear layers of a head: ``none``, ``relu``, ``gelu``, ``silu`` or ``tanh``.
        step_mark: the token behind each step; empty: what the checkpoint's kind is known to use.
        step_split: what separates the steps of an answer.
        answers: of a language model that judges steps by words: the good one, then the bad one.
        label: of a token classifier with several labels, the one whose probability counts; empty: the last.
    """

    kind: str = ""
    revision: str = ""
    dtype: str = "float32"
    max_length: int = 0
    template: str = ""
    truncate: str = ""
    dimensions: tuple[str, ...] = ()
    output: str = "logits"
    head: Path | None = None
    pool: str = "last"
    activation: str = "none"
    step_mark: str = ""
    step_split: str = "\n\n"
    answers: tuple[str, ...] = ()
    label: str = ""
