"""Checkpoints over text: sequence classifiers, heads on a backbone, and heads that score steps or tokens."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from reward_models.convert import graph, weights
from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.networks import Chain, Headed, Marked, Sequence
from reward_models.convert.options import Options
from reward_models.convert.plan import Plan, Row
from reward_models.convert.samples import text_rows
from reward_models.convert.steps import steps_of
from reward_models.convert.tokens import Tokens, conversation_of, described, tokens_of
from reward_models.runtime.graphs import GRAPH
from reward_models.runtime.steps import SUMMARIES

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
HEADS = ("v_head.", "value_head.", "reward_head.", "critic_head.", "score.", "classifier.", "head.")
"""How heads are called in checkpoints, the longer and clearer names first."""


def sequence(checkpoint: Checkpoint, options: Options) -> Plan:
    """A sequence classifier, by the class of ``transformers`` that its configuration names."""
    model = loaded(transformers.AutoModelForSequenceClassification, checkpoint)
    tokens = tokens_of(checkpoint, options, model.config)
    network: nn.Module = Sequence(model, options.output)
    if getattr(model.config, "pad_token_id", None) is None and hasattr(model, "score"):
        # Such a model takes one row at a time in transformers, and its last token; with the mask it takes many.
        network = Headed(model.base_model, Chain.of({"weight": model.score.weight}), "last", options.output)
    labels = [str(model.config.id2label[index]) for index in range(model.config.num_labels)]

    def reference(inputs: dict[str, torch.Tensor]) -> list[float]:
        return list(activated(model(**inputs).logits, options.output)[0].tolist())

    names = dimensions(options, labels)
    kind = f"sequence classification ({type(model).__name__})"
    return whole(checkpoint, options, tokens, network, names, kind, reference)


def headed(checkpoint: Checkpoint, options: Options) -> Plan:
    """A backbone with a head of its own: ``last`` token (a critic) or ``mean`` over the tokens."""
    backbone = loaded(transformers.AutoModel, checkpoint)
    head = chain(checkpoint, options, HEADS, options.activation)
    tokens = tokens_of(checkpoint, options, backbone.config)

    def reference(inputs: dict[str, torch.Tensor]) -> list[float]:
        states = backbone(**inputs).last_hidden_state[0]
        pooled = states[-1] if options.pool == "last" else states.mean(0)
        return list(activated(head(pooled), options.output).tolist())

    network = Headed(backbone, head, options.pool, options.output)
    names = dimensions(options, [f"LABEL_{index}" for index in range(head.outputs)])
    where = "the last token" if options.pool == "last" else "the mean over all tokens"
    kind = f"a head of {len(head.layers)} layers on {where} of {type(backbone).__name__}"
    return whole(checkpoint, options, tokens, network, names, kind, reference)


def whole(
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
        method=described(tokens),
        write=writer(tokens, network, options),
        rows=text_rows(tokens.settings["tokens"]),
        reference=by_torch,
        optional=["messages"],
    )


def marked(checkpoint: Checkpoint, options: Options, unit: str) -> Plan:
    """A network that scores each ``step`` or ``token`` of an answer."""
    steps = steps_of(checkpoint, options) if unit == "step" else None
    own = bool(options.answers) or checkpoint.architecture.endswith("ForTokenClassification")
    if options.answers:
        model = worded(checkpoint, options)
        backbone, head = model.base_model, model.score
        labels = list(options.answers[::-1])
    elif own:
        model = loaded(transformers.AutoModelForTokenClassification, checkpoint)
        backbone, head = model.base_model, model.score if hasattr(model, "score") else model.classifier
        labels = [str(model.config.id2label[index]) for index in range(model.config.num_labels)]
    else:
        backbone = loaded(transformers.AutoModel, checkpoint)
        head = chain(checkpoint, options, HEADS, steps.activation if steps else options.activation)
        labels = [str(index) for index in range(head.outputs)]
    output = options.output if options.output != "logits" else "softmax" if len(labels) > 1 else "sigmoid"
    if options.label and options.label not in labels:
        raise Refused(f"There is no label {options.label!r}; there are {', '.join(labels)}.")
    label = labels.index(options.label) if options.label else len(labels) - 1
    tokens = tokens_of(checkpoint, options, backbone.config, chat_only=unit == "step")
    names = list(options.dimensions) or ["min", "mean", "last"]
    if unknown := [name for name in names if name not in SUMMARIES]:
        raise Refused(f"Nothing is called {', '.join(unknown)}: name summaries among {', '.join(SUMMARIES)}.")
    tokens.settings.update(unit=unit, **(steps.settings(tokens) if steps else {}))

    def by_torch(row: Row) -> list[float] | None:
        conversation = conversation_of(row)
        found = steps.ids(tokens, conversation) if steps is not None else answers_tokens(tokens, conversation)
        if found is None:
            return None
        inputs, marks = found
        with torch.no_grad():
            given = {name: torch.tensor([values]) for name, values in inputs.items()}
            logits = model(**given).logits[0] if own else head(backbone(**given).last_hidden_state)[0]
        values = activated(logits, output)[marks, label].double().numpy()
        return [SUMMARIES[name](values) for name in names]

    of_it = labels[label] if len(labels) > 1 else "the head"
    return Plan(
        kind=f"process reward, a number for each {unit} ({checkpoint.architecture or type(backbone).__name__})",
        summary=f"What {checkpoint.called} says of each {unit} of an answer, summed up.",
        scorer=("steps", "StepScorer"),
        inputs=INPUTS,
        dimensions={name: f"Of the {unit}s' numbers ({output} of {of_it}): {name}." for name in names},
        flags=FLAGS,
        settings=tokens.settings,
        limits=[UNCHECKED, INJECTION],
        method=" ".join(filter(None, [described(tokens), steps.described() if steps else ""])),
        write=writer(tokens, Marked(backbone, head, output, label), options),
        rows=text_rows(tokens.settings["tokens"]),
        reference=by_torch,
        optional=["messages"],
        vector=f"The numbers of the {unit}s in their order, in the output `vector`: little-endian float32.",
    )


def worded(checkpoint: Checkpoint, options: Options) -> Any:
    """A language model of whose words only two are kept, the bad one and the good one, as ``score``.

    Its logits are those of the whole model at these two words (Math-Shepherd: Wang et al., 2024, arXiv:2312.08935).
    """
    if len(options.answers) != 2:
        raise Refused("--answer names the word of a good step, then, given again, that of a bad one.")
    model = loaded(transformers.AutoModelForCausalLM, checkpoint)
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint.folder, trust_remote_code=False)
    kept = [tokenizer.encode(word, add_special_tokens=False)[-1] for word in options.answers[::-1]]
    words = model.get_output_embeddings()
    held = {"weight": words.weight[kept].detach().clone()}
    if words.bias is not None:
        held["bias"] = words.bias[kept].detach().clone()
    model.score = Chain.of(held).eval()
    whole = model.forward

    def forward(**inputs: Any) -> Any:
        given = whole(**inputs)
        given.logits = given.logits[..., kept]
        return given

    model.forward = forward
    return model


def answers_tokens(tokens: Tokens, conversation: Any) -> tuple[dict[str, list[int]], list[int]] | None:
    """Inputs, and the positions of the answer's tokens, by ``transformers`` alone."""
    inputs = tokens.ids(conversation)
    if inputs is None:
        return None
    limits = {"truncation": True, "max_length": tokens.settings["tokens"]}
    if tokens.settings["read"] != "chat":
        pair = tokens.settings["read"] == "pair"
        texts = (conversation.asked, conversation.answer) if pair else (conversation.answer,)
        numbers = tokens.tokenizer(*texts, **limits).sequence_ids(0)
        marks = [at for at, number in enumerate(numbers) if number == int(pair)]
    else:
        text, (*before, answer) = tokens.text(conversation.messages), conversation.messages
        head, tail = tokens.text([*before, {**answer, "content": "@@@"}]).rsplit("@@@", 1)
        start, stop = len(head), len(text) - len(tail)
        given = tokens.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, **limits)
        marks = [at for at, (a, b) in enumerate(given["offset_mapping"]) if start <= a < b <= stop]
    return (inputs, marks) if marks else None


def loaded(auto: Any, checkpoint: Checkpoint) -> Any:
    """A network in float32, complete. Raises Refused if the checkpoint lacks a part of it, or needs code of its own."""
    try:
        model, said = auto.from_pretrained(
            checkpoint.folder,
            trust_remote_code=False,
            dtype=torch.float32,
            attn_implementation="eager",
            output_loading_info=True,
        )
    except Exception as error:
        raise Refused(f"transformers cannot load the checkpoint ({type(error).__name__}): {error}") from error
    poolers = "" if "Classification" in auto.__name__ else "pooler"  # no backbone's last states pass through one
    if missing := sorted(name for name in said["missing_keys"] if not poolers or poolers not in name):
        raise Refused(f"The checkpoint lacks {', '.join(missing[:4])}: its scores would be those of random numbers.")
    if hasattr(model.config, "use_cache"):
        model.config.use_cache = False
    return model.eval()


def chain(checkpoint: Checkpoint, options: Options, prefixes: tuple[str, ...], activation: str) -> Chain:
    """The head of a checkpoint, in a file of its own or under one of some prefixes."""
    if options.head is not None:
        return Chain.of(weights.load(options.head), activation)
    for prefix in prefixes:
        if held := weights.under(checkpoint.folder, (prefix,)):
            return Chain.of(held, activation)
    raise Refused(f"The checkpoint has no head (a tensor under {', '.join(prefixes)}): name its file with --head.")


def writer(tokens: Tokens, network: nn.Module, options: Options) -> Callable[[Path], None]:
    """Writes the tokeniser and the graph of a network over tokens."""

    def write(folder: Path) -> None:
        tokens.write(folder)
        ids = torch.randint(0, 5, (3, 11), generator=torch.Generator().manual_seed(0))
        mask = (torch.arange(11)[None] < torch.tensor([[11], [7], [4]])).long()
        example = {"input_ids": torch.where(mask == 1, ids, tokens.settings["pad"]), "attention_mask": mask}
        if tokens.settings["types"]:
            example["token_type_ids"] = torch.zeros_like(ids)
        graph.export(network, example, "scores", folder / GRAPH, options.dtype)

    return write


def dimensions(options: Options, labels: list[str]) -> list[str]:
    """Names of the scores: as asked, else the labels; a lone label without a name is ``reward``."""
    if options.dimensions:
        if len(options.dimensions) != len(labels):
            raise Refused(f"The head gives {len(labels)} numbers; {len(options.dimensions)} dimensions were named.")
        return list(options.dimensions)
    if len(labels) == 1 and labels[0].upper().startswith("LABEL_"):
        return ["reward"]
    found = ["".join(c if c.isalnum() else "_" for c in label.lower()).strip("_") or "label" for label in labels]
    return found if len(set(found)) == len(found) else [f"{name}_{index}" for index, name in enumerate(found)]


def activated(logits: torch.Tensor, output: str) -> Any:
    """Logits as the options want them."""
    if output == "sigmoid":
        return torch.sigmoid(logits.float())
    return torch.softmax(logits.float(), dim=-1) if output == "softmax" else logits.float()
