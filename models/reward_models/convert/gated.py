"""Gated reward models: a network weighs several objectives into one score.

ArmoRM (Wang et al., 2024, arXiv:2406.12845): Σ_i g_i · (r·T)_i with r = R·h at the last token, T the checkpoint's
matrix of corrections, and g = scale · softmax(MLP(h)/temperature) at the last place where the template opens the
assistant's turn. QRM (Dorka, 2024, arXiv:2409.10164) is the same, with r_i the mean of an objective's quantiles, and a
normalisation by batch behind each layer of the gates. URM (Lou et al., 2024, arXiv:2410.00847): Σ_i g_i · μ_i, both at
the last token, with μ every other of the head's numbers (the others are deviations) and g = MLP(h), of any size.
"""

import dataclasses
from collections.abc import Callable

import torch
import transformers
from torch import Tensor, nn

from reward_models.convert import weights
from reward_models.convert.advice import advise_code
from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.gate_layers import GateLayers
from reward_models.convert.loading import load_network
from reward_models.convert.networks import Chain, Inputs
from reward_models.convert.options import Options
from reward_models.convert.plan import Plan
from reward_models.convert.texts import Reading, name_dimensions, plan_conversation
from reward_models.convert.tokens import Tokens, tokens_of

GATING, OBJECTIVES, TRANSFORM = "gating.", "regression_layer.", "reward_transform_matrix"
MEANS, WEIGHTS = "score.", "weights."
"""Of URM."""

TEMPERATURE = 10.0
"""Of the gates' softmax, if the configuration has none."""

HALVED = (
    "The checkpoint's own code computes its gates in float16, here they are in float32: its scores differ by some "
    "thousandths."
)


class Gated(Inputs):
    """A backbone, objectives at the last token, gates where the assistant's turn is opened: [n, 1].

    Args:
        mark: the tokens that open the assistant's turn; the gates read the state at the first of them.
        gates: temperature and scale of the gates.
    """

    def __init__(
        self, backbone: nn.Module, objectives: Chain, transform: Tensor, gating: Chain, mark: list[int], gates: Tensor
    ) -> None:
        super().__init__()
        self.backbone, self.objectives, self.gating, self.mark = backbone, objectives, gating, mark
        self.transform = nn.Parameter(transform)
        self.register_buffer("gates", gates)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        states = self.backbone(**self.feeds(input_ids, attention_mask, token_type_ids)).last_hidden_state
        each, places = torch.arange(states.shape[0]), torch.arange(1, states.shape[1] + 1)
        found = torch.ones_like(input_ids, dtype=torch.bool)
        for offset, token in enumerate(self.mark):
            found = found & (torch.roll(input_ids, -offset, 1) == token)
        opened = (found.long() * places).argmax(1)
        rewards = self.objectives(states[each, attention_mask.sum(1) - 1]) @ self.transform
        weighed = torch.softmax(self.gating(states[each, opened]).float() / self.gates[0], -1) * self.gates[1]
        return (weighed * rewards.float()).sum(-1, keepdim=True)


class Weighed(Inputs):
    """A backbone, and at its last token objectives times their weights, summed up: [n, 1]."""

    def __init__(self, backbone: nn.Module, objectives: Chain, gating: Chain) -> None:
        super().__init__()
        self.backbone, self.objectives, self.gating = backbone, objectives, gating

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        states = self.backbone(**self.feeds(input_ids, attention_mask, token_type_ids)).last_hidden_state
        last = states[torch.arange(states.shape[0]), attention_mask.sum(1) - 1]
        return (self.objectives(last).float() * self.gating(last).float()).sum(-1, keepdim=True)


def plan_gated(checkpoint: Checkpoint, options: Options) -> Plan:
    """A gated model of one score. Raises Refused if its tensors are those of none of the three."""
    held = weights.load_prefixed(checkpoint.folder, (GATING, OBJECTIVES, TRANSFORM, MEANS, WEIGHTS))
    if any(name.startswith(WEIGHTS) for name in held):
        return _plan_weighed(checkpoint, options, held)
    return _plan_prompted(checkpoint, options, held)


def _plan_prompted(checkpoint: Checkpoint, options: Options, held: dict[str, Tensor]) -> Plan:
    """ArmoRM or QRM."""
    advice = advise_code(checkpoint.config)
    try:
        objectives = Chain.of(_under(held, OBJECTIVES)).eval()
        layers = GateLayers.of(_under(held, f"{GATING}layers."))
        transform, scale = held[TRANSFORM], held[f"{GATING}logit_scale"]
    except KeyError as error:
        raise Refused(f"The checkpoint has no tensor {error}, which a gated model has: {advice}.") from error
    gates, quantiles = layers.outputs, int(checkpoint.config.get("num_quantiles") or 1)
    if objectives.outputs != gates * quantiles or len(transform) != gates:
        of_each = f" of {quantiles} quantiles" if quantiles > 1 else ""
        raise Refused(
            f"The checkpoint has {objectives.outputs} numbers for {gates} gates{of_each}: it is gated neither as "
            f"ArmoRM nor as QRM is: {advice}."
        )
    backbone = load_network(transformers.AutoModel, checkpoint, (GATING, OBJECTIVES, TRANSFORM))
    if options.truncate not in ("", "refuse"):
        raise Refused(
            "A text that is cut may lose where the answer begins, which the gates read: use --truncate refuse."
        )
    tokens = tokens_of(checkpoint, dataclasses.replace(options, truncate="refuse"), backbone.config)
    mark = find_opening(tokens, advice)
    temperature = float(checkpoint.config.get("gating_temperature", TEMPERATURE))

    def reference(inputs: dict[str, Tensor]) -> list[float]:
        states, ids = backbone(**inputs).last_hidden_state[0], inputs["input_ids"][0].tolist()
        opened = max(at for at in range(len(ids)) if ids[at : at + len(mark)] == mark)
        weighed = torch.nn.functional.softmax(layers(states[opened]) / temperature, dim=0) * scale[0]
        expected = objectives(states[-1]).reshape(gates, quantiles).mean(1)
        return [float((weighed * (expected @ transform)).sum())]

    averaged = Chain.of({name: _average(value, gates) for name, value in _under(held, OBJECTIVES).items()}).eval()
    temper = torch.tensor([temperature, float(scale[0])])
    network = Gated(backbone, averaged, transform, layers.as_chain().eval(), mark, temper)
    what = f"{gates} objectives" + (f", the means of {quantiles} quantiles each," if quantiles > 1 else "")
    return _plan(checkpoint, options, tokens, network, f"{what} are weighed by gates that read the prompt.", reference)


def _plan_weighed(checkpoint: Checkpoint, options: Options, held: dict[str, Tensor]) -> Plan:
    """URM."""
    head = Chain.of(_under(held, MEANS)).eval()
    gating = Chain.of(_under(held, WEIGHTS), "selu").eval()
    if head.outputs != 2 * gating.outputs:
        raise Refused(
            f"The checkpoint has {head.outputs} numbers for {gating.outputs} gates, and not a mean and a deviation for "
            f"each: it is not gated as URM is: {advise_code(checkpoint.config)}."
        )
    backbone = load_network(transformers.AutoModel, checkpoint, (MEANS, WEIGHTS))
    tokens = tokens_of(checkpoint, options, backbone.config)

    def reference(inputs: dict[str, Tensor]) -> list[float]:
        last = backbone(**inputs).last_hidden_state[0, -1]
        pairs = head(last).reshape(gating.outputs, 2)
        return [sum(float(mean) * float(weight) for (mean, _), weight in zip(pairs, gating(last), strict=True))]

    means = Chain.of({name: value[::2] for name, value in _under(held, MEANS).items()}).eval()
    note = f"{gating.outputs} objectives are weighed by gates at the last token."
    plan = _plan(checkpoint, options, tokens, Weighed(backbone, means, gating), note, reference)
    return dataclasses.replace(plan, limits=[*plan.limits, HALVED])


def _plan(
    checkpoint: Checkpoint,
    options: Options,
    tokens: Tokens,
    network: Inputs,
    note: str,
    reference: Callable[[dict[str, Tensor]], list[float]],
) -> Plan:
    kind = f"gated objectives on {type(network.backbone).__name__}: {note.partition(' are ')[0].rstrip(',')}"
    names = name_dimensions(options, ["LABEL_0"])
    return plan_conversation(
        checkpoint, options, tokens, network, names, kind, Reading("logits", None, note), reference
    )


def _under(held: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under a prefix."""
    return {name: value for name, value in held.items() if name.startswith(prefix)}


def _average(value: Tensor, gates: int) -> Tensor:
    """A layer's rows, averaged over the quantiles of each objective."""
    return value.reshape(gates, -1, *value.shape[1:]).mean(1)


def find_opening(tokens: Tokens, advice: str) -> list[int]:
    """The tokens with which the template closes a user's turn and opens the assistant's.

    Raises Refused if there is no template, or what it writes there is not tokenised as it is alone.
    """
    if tokens.settings["read"] != "chat":
        raise Refused(
            "The gates read where the assistant's turn begins, so a chat template is needed: give --template."
        )
    asked, answer = "What was asked", "What was answered"
    turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    between = tokens.text(turns).partition(asked)[2].partition(answer)[0]
    mark = list(tokens.tokenizer.encode(between, add_special_tokens=False))
    ids = tokens.ids_of_turns(turns)
    if not mark or not any(ids[at : at + len(mark)] == mark for at in range(len(ids))):
        raise Refused(f"It cannot be told which tokens open the assistant's turn: {advice}.")
    return mark
