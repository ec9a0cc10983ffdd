"""Checkpoints that score a conversation as a whole: sequence classifiers, and heads on a backbone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import transformers
from torch import nn

from reward_models.convert.advice import advise_code, find_code
from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.loading import apply_output, load_head, load_network, make_writer
from reward_models.convert.networks import Chain, Headed, Readout, Sequence
from reward_models.convert.normalizers import Normalizer, find_normalizer
from reward_models.convert.options import Options
from reward_models.convert.plan import Plan, Row
from reward_models.convert.samples import text_rows
from reward_models.convert.tokens import Tokens, conversation_of, describe_reading, tokens_of

INPUTS = {
    "prompt": "What was asked, as plain text. May be empty.",
    "response": "What was answered, as plain text.",
    "messages": "The exchange as a JSON list of chat messages instead, the answer being the assistant's last turn.",
}
FLAGS = {
    "truncated": "The text was over the limit of tokens and was cut.",
    "media_ignored": "The messages held parts other than text, which this model does not see.",
}
INJECTION = (
    "Special tokens that are written out in a text are read as special tokens, as by the checkpoint's own tokeniser: "
    "a policy can learn to write them."
)
TEXT_ONLY = "Its text side alone was converted (--text-only): the checkpoint sees images, which this model does not."
UNCHECKED = "Its quality is what its makers measured; nothing was measured here but that it scores as it did in torch."


def plan_sequence(checkpoint: Checkpoint, options: Options) -> Plan:
    """A sequence classifier, by the class of ``transformers`` that its configuration names."""
    model = load_network(getattr(transformers, choose_auto(checkpoint)), checkpoint)
    tokens = tokens_of(checkpoint, options, model.config)
    labels = [str(model.config.id2label[index]) for index in range(model.config.num_labels)]
    reading = Reading.of(checkpoint, options, len(labels))
    network: nn.Module = Sequence(model, reading.readout)
    if getattr(model.config, "pad_token_id", None) is None and hasattr(model, "score"):
        # Such a model takes one row at a time in transformers, and its last token; with the mask it takes many.
        network = Headed(model.base_model, Chain.of({"weight": model.score.weight}), "last", reading.readout)

    def reference(inputs: dict[str, torch.Tensor]) -> list[float]:
        given = model(**inputs)
        if not hasattr(given, "logits"):
            raise Refused(f"The code of {type(model).__name__} gives no logits: {advise_code({})}.")
        return reading.scores(given.logits[0])

    names = name_dimensions(options, labels)
    kind = f"sequence classification ({type(model).__name__})"
    return plan_conversation(checkpoint, options, tokens, network, names, kind, reading, reference)


def choose_auto(checkpoint: Checkpoint) -> str:
    """The class of transformers' ``Auto…`` that loads a sequence classifier, or the code that a checkpoint brings."""
    mapped = find_code(checkpoint.config) if checkpoint.loading.trust_code else ""
    return mapped or "AutoModelForSequenceClassification"


def plan_headed(checkpoint: Checkpoint, options: Options) -> Plan:
    """A backbone with a head of its own: ``last`` token (a critic) or ``mean`` over the tokens."""
    head, found = load_head(checkpoint, options)
    spare = (found.prefix, "normalizer.") if found.prefix else ("normalizer.",)
    backbone = load_network(transformers.AutoModel, checkpoint, spare)
    tokens = tokens_of(checkpoint, options, backbone.config)
    reading = Reading.of(checkpoint, options, head.outputs)

    def reference(inputs: dict[str, torch.Tensor]) -> list[float]:
        states = backbone(**inputs).last_hidden_state[0]
        return reading.scores(head(states[-1] if options.pool == "last" else states.mean(0)))

    network = Headed(backbone, head, options.pool, reading.readout)
    names = name_dimensions(options, [f"LABEL_{index}" for index in range(head.outputs)])
    where = "the last token" if options.pool == "last" else "the mean over all tokens"
    between = f", {found.activation} between them" if len(found.layers) > 1 else ""
    kind = f"a head of {len(head.layers)} layers{between} on {where} of {type(backbone).__name__}"
    return plan_conversation(checkpoint, options, tokens, network, names, kind, reading, reference)


PROBLEMS = {"multi_label_classification": "sigmoid", "single_label_classification": "softmax", "regression": "logits"}
"""``problem_type`` of transformers -> what its pipeline makes of a classifier's numbers."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How scores are read from a head's numbers: ``output`` and a normaliser, ``note`` for the card."""

    output: str
    normalizer: Normalizer | None
    note: str

    @classmethod
    def of(cls, checkpoint: Checkpoint, options: Options, numbers: int) -> "Reading":
        """As the user says, else as the configuration's ``problem_type`` for several numbers, else logits."""
        said = PROBLEMS.get(str(checkpoint.config.get("problem_type")), "logits") if numbers > 1 else "logits"
        normalizer, note = find_normalizer(checkpoint, options)
        if normalizer is not None and len(normalizer.mean) not in (1, numbers):
            raise Refused(f"config.json normalises {len(normalizer.mean)} numbers, and the head gives {numbers}.")
        return cls(options.output or said, normalizer, note)

    @property
    def readout(self) -> Readout:
        return Readout(self.output, self.normalizer)

    @property
    def range(self) -> tuple[float, float] | None:
        """Between what the scores lie: probabilities in [0, 1]."""
        return (0.0, 1.0) if self.output != "logits" and self.normalizer is None else None

    def scores(self, numbers: torch.Tensor) -> list[float]:
        """The scores of one row, computed apart from what is exported."""
        scores = apply_output(numbers, self.output).double().numpy()
        if self.normalizer is not None:
            scores = (scores - np.array(self.normalizer.mean)) / np.array(self.normalizer.deviation)
        return [float(score) for score in scores]


def plan_conversation(
    checkpoint: Checkpoint,
    options: Options,
    tokens: Tokens,
    network: nn.Module,
    names: list[str],
    kind: str,
    reading: Reading,
    reference: Callable[[dict[str, torch.Tensor]], list[float]],
) -> Plan:
    """The plan of a network that scores a conversation as a whole."""

    def by_torch(row: Row) -> list[float] | None:
        ids = tokens.ids(conversation_of(row))
        if ids is None:
            return None
        with torch.no_grad():
            return reference({name: torch.tensor([values]) for name, values in ids.items()})

    return Plan(
        kind=kind,
        summary=f"What {checkpoint.called} says of an answer.",
        scorer=("classifier", "SequenceScorer"),
        inputs=INPUTS,
        dimensions={name: f"The checkpoint's {reading.output} of {name}, higher for more of it." for name in names},
        flags=FLAGS,
        settings=tokens.settings,
        limits=[UNCHECKED, INJECTION, *[TEXT_ONLY] * options.text_only],
        method=" ".join(filter(None, [describe_reading(tokens), reading.note])),
        write=make_writer(tokens, network, options),
        rows=text_rows(tokens.settings["tokens"]),
        reference=by_torch,
        optional=["messages"],
        range=reading.range,
        write_reading=tokens.write,
        network=network,
    )


def name_dimensions(options: Options, labels: list[str]) -> list[str]:
    """Names of the scores: as asked, else the labels; a lone label without a name is ``reward``."""
    if options.dimensions:
        if len(options.dimensions) != len(labels):
            raise Refused(f"The head gives {len(labels)} numbers; {len(options.dimensions)} dimensions were named.")
        return list(options.dimensions)
    if len(labels) == 1 and labels[0].upper().startswith("LABEL_"):
        return ["reward"]
    found = ["".join(c if c.isalnum() else "_" for c in label.lower()).strip("_") or "label" for label in labels]
    return found if len(set(found)) == len(found) else [f"{name}_{index}" for index, name in enumerate(found)]
