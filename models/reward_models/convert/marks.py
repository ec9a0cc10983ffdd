"""Checkpoints that score each step or token of an answer: token classifiers, heads on a backbone, two words."""

from typing import Any

import torch
import transformers

from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.loading import apply_output, load_head, load_network, make_writer
from reward_models.convert.networks import Chain, Marked
from reward_models.convert.options import Options
from reward_models.convert.plan import Plan, Row
from reward_models.convert.samples import step_rows, text_rows
from reward_models.convert.steps import steps_of
from reward_models.convert.texts import FLAGS, INJECTION, INPUTS, UNCHECKED
from reward_models.convert.tokens import Tokens, conversation_of, describe_reading, tokens_of
from reward_models.runtime.steps import SUMMARIES

STEPS = {"steps": "The answer cut into steps, a msgpack list of texts, in place of being cut at the separator."}


def plan_marked(checkpoint: Checkpoint, options: Options, unit: str) -> Plan:
    """A network that scores each ``step`` or ``token`` of an answer."""
    steps = steps_of(checkpoint, options) if unit == "step" else None
    own = bool(options.answers) or checkpoint.architecture.endswith("ForTokenClassification")
    if options.answers:
        model = load_worded(checkpoint, options)
        backbone, head = model.base_model, model.score
        labels = list(options.answers[::-1])
    elif own:
        model = load_network(transformers.AutoModelForTokenClassification, checkpoint)
        backbone, head = model.base_model, model.score if hasattr(model, "score") else model.classifier
        labels = [str(model.config.id2label[index]) for index in range(model.config.num_labels)]
    else:
        head, found = load_head(checkpoint, options)
        backbone = load_network(transformers.AutoModel, checkpoint, (found.prefix,) if found.prefix else ())
        labels = [str(index) for index in range(head.outputs)]
    output = options.output or ("softmax" if len(labels) > 1 else "sigmoid")
    if options.label and options.label not in labels:
        raise Refused(f"There is no label {options.label!r}; labels: {', '.join(labels)}.")
    label = labels.index(options.label) if options.label else len(labels) - 1
    tokens = tokens_of(checkpoint, options, backbone.config, chat_only=unit == "step")
    names = list(options.dimensions) or ["min", "mean", "last"]
    if unknown := [name for name in names if name not in SUMMARIES]:
        raise Refused(f"There is no summary {', '.join(unknown)}: use {', '.join(SUMMARIES)}.")
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
        values = apply_output(logits, output)[marks, label].double().numpy()
        return [SUMMARIES[name](values) for name in names]

    network = Marked(backbone, head, output, label)
    of_it = labels[label] if len(labels) > 1 else "the head"
    return Plan(
        kind=f"process reward, a number for each {unit} ({checkpoint.architecture or type(backbone).__name__})",
        summary=f"What {checkpoint.called} says of each {unit} of an answer, summed up.",
        scorer=("steps", "StepScorer"),
        inputs=INPUTS | STEPS if unit == "step" else INPUTS,
        dimensions={name: f"Of the {unit}s' numbers ({output} of {of_it}): {name}." for name in names},
        flags=FLAGS,
        settings=tokens.settings,
        limits=[UNCHECKED, INJECTION],
        method=" ".join(filter(None, [describe_reading(tokens), steps.described() if steps else ""])),
        write=make_writer(tokens, network, options),
        rows=(step_rows if unit == "step" else text_rows)(tokens.settings["tokens"]),
        reference=by_torch,
        optional=["messages", "steps"],
        write_reading=tokens.write,
        network=network,
        vector=f"The numbers of the {unit}s in their order, in the output `vector`: little-endian float32.",
    )


def load_worded(checkpoint: Checkpoint, options: Options) -> Any:
    """A language model with only two words of its vocabulary kept, the bad one and the good one, as ``score``.

    Its logits are those of the whole model at these two words (Math-Shepherd: Wang et al., 2024, arXiv:2312.08935).
    """
    if len(options.answers) != 2:
        raise Refused("Give --answer twice: the word for a good step, then the one for a bad step.")
    model = load_network(transformers.AutoModelForCausalLM, checkpoint)
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
