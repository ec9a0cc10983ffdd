"""Options of a conversion; the defaults follow from the checkpoint's files."""

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
        max_length: maximum tokens per text; 0: the checkpoint's own limit, at most 4096.
        template: ``chat``, ``pair`` or ``response``, or the path of a Jinja file; empty: ``chat`` where the
            checkpoint has a template, else ``pair`` for an encoder.
        truncate: ``left``, ``right`` or ``refuse``; empty: as in the tokeniser's configuration.
        dimensions: names of the scores; for steps and tokens, names of summaries.
        output: ``logits``, ``sigmoid`` or ``softmax`` of the head's K numbers.
        head: a file with the head's weights, if the checkpoint has none.
        pool: of kind ``head``: ``last`` or ``mean``.
        activation: between the linear layers of a head: ``none``, ``relu``, ``gelu``, ``silu`` or ``tanh``.
        step_mark: the token after each step; empty: the known mark of the checkpoint's kind.
        step_split: separator of the steps of an answer.
        answers: for a language model that judges steps: the word for a good step, then the one for a bad step.
        label: for a token classifier with several labels, the label whose probability is the score; empty: the last.
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
