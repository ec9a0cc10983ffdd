"""Options of a conversion; the defaults follow from the checkpoint's files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KINDS: Mapping[str, str] = {
    "sequence": "sequence classification: K labels become K dimensions",
    "head": "a backbone and a head of its own (chained linear layers), on the last token or the mean over all",
    "gated": "a backbone, a head of several objectives, and a network that weighs them (ArmoRM, QRM, URM)",
    "steps": "process reward: a number for each step of the answer, by a head or by a language model's two words",
    "tokens": "token classification: a number for each token of the answer",
    "clip": "CLIP: the cosine of image and prompt",
    "pickscore": "CLIP: logit scale times the cosine",
    "hps": "CLIP: 100 times the cosine",
    "siglip": "SigLIP and SigLIP 2 of a fixed resolution: the probability that image and prompt belong together",
    "blip": "BLIP's text side looking at the image: the probability of a match (ITM), or ImageReward's layers",
    "aesthetic": "the image side of CLIP or SigLIP and a linear chain on its embedding",
    "image": "image classification: K labels become K dimensions",
}
"""Kind -> what it converts."""

IMAGE_KINDS = ("clip", "pickscore", "hps", "siglip", "blip", "aesthetic", "image")
"""Kinds that look at images."""

ACTIVATIONS = ("none", "relu", "gelu", "silu", "selu", "tanh")
OUTPUTS = ("logits", "sigmoid", "softmax")

ENGINES: Mapping[str, str] = {
    "onnx": "ONNX Runtime, in Triton's own process: the network becomes a graph",
    "torch": "torch and transformers, in a process of their own: the checkpoint as it is",
    "vllm": "vLLM's pooling runner, in a process of its own: the checkpoint as it is",
    "auto": "torch above a billion parameters or where the network does not become a graph, else onnx",
}
"""Engine -> what runs the network."""

DTYPES = ("float32", "float16", "bfloat16")
"""Types of weights; ``bfloat16`` for an engine."""


@dataclass(frozen=True, slots=True)
class Options:
    """Choices of one conversion.

    Attributes:
        kind: one of KINDS; empty: by the checkpoint's configuration.
        revision: of a hub id: a branch, tag or commit.
        base: the folder or hub id of the checkpoint that an adapter, or weights in the layout of open_clip or
            ImageReward, were trained on.
        engine: one of ENGINES.
        trust_remote_code: run Python code that the checkpoint brings, in an engine's process.
        link: link the checkpoint's files into the model's folder, for an engine, rather than copying them.
        dtype: of the weights, one of DTYPES.
        max_length: maximum tokens per text; 0: the checkpoint's own limit, at most 4096.
        template: ``chat``, ``pair`` or ``response``, or the path of a Jinja file; empty: ``chat`` where the
            checkpoint has a template, else ``pair`` for an encoder.
        truncate: ``left``, ``right`` or ``refuse``; empty: as in the tokeniser's configuration.
        dimensions: names of the scores; for steps and tokens, names of summaries.
        output: ``logits``, ``sigmoid`` or ``softmax`` of the head's K numbers; empty: as the configuration's
            ``problem_type`` says, else logits.
        normalize: apply the mean and deviation in the configuration also where it does not say that they apply.
        head: a file with the head's weights, if the checkpoint has none.
        pool: of kind ``head``: ``last`` or ``mean``.
        activation: between the linear layers of a head, one of ACTIVATIONS; empty: known only for some classes.
        step_mark: the token after each step; empty: the known mark of the checkpoint's kind.
        step_split: separator of the steps of an answer.
        answers: for a language model that judges steps: the word for a good step, then the one for a bad step.
        label: for a token classifier with several labels, the label whose probability is the score; empty: the last.
        text_only: convert the text side of a vision-language model.
    """

    kind: str = ""
    revision: str = ""
    base: str = ""
    engine: str = "auto"
    trust_remote_code: bool = False
    link: bool = False
    dtype: str = "float32"
    max_length: int = 0
    template: str = ""
    truncate: str = ""
    dimensions: tuple[str, ...] = ()
    output: str = ""
    normalize: bool = False
    head: Path | None = None
    pool: str = "last"
    activation: str = ""
    step_mark: str = ""
    step_split: str = "\n\n"
    answers: tuple[str, ...] = ()
    label: str = ""
    text_only: bool = False
