"""Gated reward models: a network that reads the prompt weighs objectives (ArmoRM: Wang et al., 2024, arXiv:2406.12845).

Score = Σ_i g_i · (r·T)_i with r = R·h at the last token, T the checkpoint's matrix of corrections, and g = scale ·
softmax(MLP(h)/temperature) at the last place where the template opens the assistant's turn.
"""

import dataclasses

import torch
import transformers
from torch import Tensor, nn

from reward_models.convert import weights
from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.loading import load_network
from reward_models.convert.networks import Chain, Inputs
from reward_models.convert.options import OTHER_WAYS, Options
from reward_models.convert.plan import Plan
from reward_models.convert.texts import Reading, name_dimensions, plan_conversation
from reward_models.convert.tokens import Tokens, tokens_of

GATING, OBJECTIVES, TRANSFORM = "gating.", "regression_layer.", "reward_transform_matrix"
TEMPERATURE = 10.0
"""Of the gates' softmax, if the configuration has none."""


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
        self.transform, self.gates = nn.Parameter(transform), gates

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


def plan_gated(checkpoint: Checkpoint, options: Options) -> Plan:
    """A gated model of one score. Raises Refused if its tensors are not those of ArmoRM."""
    held = weights.load_prefixed(checkpoint.folder, (GATING, OBJECTIVES, TRANSFORM))
    try:
        objectives = Chain.of({name: value for name, value in held.items() if name.startswith(OBJECTIVES)}).eval()
        layers = {name: value for name, value in held.items() if name.startswith(f"{GATING}layers.")}
        gating = Chain.of(layers, "relu").eval()
        transform, scale = held[TRANSFORM], held[f"{GATING}logit_scale"]
    except KeyError as error:
        raise Refused(f"The checkpoint has no tensor {error}, which a gated model has: {OTHER_WAYS}.") from error
    if not objectives.outputs == gating.outputs == len(transform):
        raise Refused(
            f"The checkpoint has {objectives.outputs} objectives and {gating.outputs} gates: it is "
            f"not gated as ArmoRM is: {OTHER_WAYS}."
        )
    backbone = load_network(transformers.AutoModel, checkpoint, (GATING, OBJECTIVES, TRANSFORM))
    if options.truncate not in ("", "refuse"):
        raise Refused(
            "A text that is cut may lose where the answer begins, which the gates read: use --truncate refuse."
        )
    tokens = tokens_of(checkpoint, dataclasses.replace(options, truncate="refuse"), backbone.config)
    mark = find_opening(tokens)
    temperature = float(checkpoint.config.get("gating_temperature", TEMPERATURE))
    network = Gated(backbone, objectives, transform, gating, mark, torch.tensor([temperature, float(scale[0])]))
    reading = Reading("logits", None, f"{gating.outputs} objectives are weighed by gates that read the prompt.")

    def reference(inputs: dict[str, Tensor]) -> list[float]:
        states, ids = backbone(**inputs).last_hidden_state[0], inputs["input_ids"][0].tolist()
        opened = max(at for at in range(len(ids)) if ids[at : at + len(mark)] == mark)
        weighed = torch.nn.functional.softmax(gating(states[opened]) / temperature, dim=0) * scale[0]
        return [float((weighed * (objectives(states[-1]) @ transform)).sum())]

    kind = f"{gating.outputs} gated objectives on {type(backbone).__name__}"
    names = name_dimensions(options, ["LABEL_0"])
    return plan_conversation(checkpoint, options, tokens, network, names, kind, reading, reference)


def find_opening(tokens: Tokens) -> list[int]:
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
        raise Refused(f"It cannot be told which tokens open the assistant's turn: {OTHER_WAYS}.")
    return mark
