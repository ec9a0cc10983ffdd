"""Checkpoints that score a conversation as a whole: sequence classifiers, and heads on a backbone."""

from collections.abc import Callable

import torch
import transformers
from torch import nn

from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.loading import apply_output, load_head, load_network, make_writer
from reward_models.convert.networks import Chain, Headed, Sequence
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
UNCHECKED = "Its quality is what its makers measured; nothing was measured here but that it scores as it did in torch."


def plan_sequence(checkpoint: Checkpoint, options: Options) -> Plan:
    """A sequence classifier, by the class of ``transformers`` that its configuration names."""
    model = load_network(transformers.AutoModelForSequenceClassification, checkpoint)
    tokens = tokens_of(checkpoint, options, model.config)
    network: nn.Module = Sequence(model, options.output)
    if getattr(model.config, "pad_token_id", None) is None and hasattr(model, "score"):
        # Such a model takes one row at a time in transformers, and its last token; with the mask it takes many.
        network = Headed(model.base_model, Chain.of({"weight": model.score.weight}), "last", options.output)
    labels = [str(model.config.id2label[index]) for index in range(model.config.num_labels)]

    def reference(inputs: dict[str, torch.Tensor]) -> list[float]:
        return list(apply_output(model(**inputs).logits, options.output)[0].tolist())

    names = name_dimensions(options, labels)
    kind = f"sequence classification ({type(model).__name__})"
    return plan_conversation(checkpoint, options, tokens, network, names, kind, reference)


def plan_headed(checkpoint: Checkpoint, options: Options) -> Plan:
    """A backbone with a head of its own: ``last`` token (a critic) or ``mean`` over the tokens."""
    backbone = load_network(transformers.AutoModel, checkpoint)
    head = load_head(checkpoint, options, options.activation)
    tokens = tokens_of(checkpoint, options, backbone.config)

    def reference(inputs: dict[str, torch.Tensor]) -> list[float]:
        states = backbone(**inputs).last_hidden_state[0]
        pooled = states[-1] if options.pool == "last" else states.mean(0)
        return list(apply_output(head(pooled), options.output).tolist())

    network = Headed(backbone, head, options.pool, options.output)
    names = name_dimensions(options, [f"LABEL_{index}" for index in range(head.outputs)])
    where = "the last token" if options.pool == "last" else "the mean over all tokens"
    kind = f"a head of {len(head.layers)} layers on {where} of {type(backbone).__name__}"
    return plan_conversation(checkpoint, options, tokens, network, names, kind, reference)


def plan_conversation(
    checkpoint: Checkpoint,
    options: Options,
    tokens: Tokens,
    network: nn.Module,
    names: list[str],
    kind: str,
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
        dimensions={name: f"The checkpoint's {options.output} of {name}, higher for more of it." for name in names},
        flags=FLAGS,
        settings=tokens.settings,
        limits=[UNCHECKED, INJECTION],
        method=describe_reading(tokens),
        write=make_writer(tokens, network, options),
        rows=text_rows(tokens.settings["tokens"]),
        reference=by_torch,
        optional=["messages"],
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
