"""Reward models with code of their own whose computation is known, by the class that their ``config.json`` names."""

from collections.abc import Mapping
from dataclasses import dataclass

from reward_models.convert.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class Family:
    """What the code of a class does.

    Attributes:
        kind: one of KINDS.
        head: prefix of the tensors of its head.
        activation: between the layers of its head.
        mark: the token after each step; empty for another kind.
    """

    kind: str
    head: str
    activation: str = "none"
    mark: str = ""


FAMILIES: Mapping[str, Family] = {
    # Qwen2.5-Math-PRM (Zhang et al., 2025, arXiv:2501.07301).
    "Qwen2ForProcessRewardModel": Family("steps", "score.", "relu", "<extra_0>"),
    # Skywork-o1-Open-PRM.
    "Qwen2ForPrmModel": Family("steps", "v_head."),
    # Qwen2.5-Math-RM-72B and WorldPM-72B.
    "Qwen2ForRewardModel": Family("head", "score.", "relu"),
    # INF-ORM-Llama3.1-70B.
    "INFORMForSequenceClassification": Family("head", "score.", "relu"),
    # UltraRM and Eurus-RM.
    "LlamaRewardModel": Family("head", "regression_head."),
    "EurusRewardModel": Family("head", "regression_head."),
    # Beaver's reward and cost models (safe-rlhf).
    "LlamaForScore": Family("head", "score_head."),
    "LlamaModelForScore": Family("head", "score_head."),
    # OpenRLHF, whose configuration may name another prefix.
    "RewardModel": Family("head", "score."),
    "LLMForSequenceRegression": Family("head", "value_head."),
    # ArmoRM (Wang et al., 2024, arXiv:2406.12845), and QRM (Dorka, 2024, arXiv:2409.10164) under the same name.
    "LlamaForRewardModelWithGating": Family("gated", "regression_layer.", "relu"),
    "RewardModelWithGating": Family("gated", "regression_layer.", "relu"),
    # URM (Lou et al., 2024, arXiv:2410.00847).
    "LlamaForSequenceClassificationWithNormal_Weights": Family("gated", "score.", "selu"),
}
"""Class -> what it does."""

VALUE_HEADS: Mapping[str, str] = {"mlp": "relu", "linear": "none"}
"""GRM's ``vhead_layer_type`` (Yang et al., 2024, arXiv:2406.10216) -> activation between the layers of its head."""


def family_of(checkpoint: Checkpoint) -> Family | None:
    """The family of a checkpoint; None for one that is of no known family."""
    config = checkpoint.config
    if (activation := VALUE_HEADS.get(str(config.get("vhead_layer_type")))) is not None:
        return Family("head", "v_head.", activation)
    family = FAMILIES.get(checkpoint.architecture)
    if family is not None and isinstance(prefix := config.get("value_head_prefix"), str):
        return Family(family.kind, f"{prefix}.", family.activation, family.mark)
    return family
