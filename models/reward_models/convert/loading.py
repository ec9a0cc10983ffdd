"""Loads networks and heads of checkpoints, and writes their graphs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from reward_models.convert import graph, weights
from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.networks import Chain
from reward_models.convert.options import Options
from reward_models.convert.tokens import Tokens
from reward_models.runtime.graphs import GRAPH

HEADS = ("v_head.", "value_head.", "reward_head.", "critic_head.", "score.", "classifier.", "head.")
"""Prefixes of a head's tensors in checkpoints, the most specific first."""


def load_network(auto: Any, checkpoint: Checkpoint) -> Any:
    """A complete network in float32. Raises Refused if the checkpoint lacks tensors or needs code of its own."""
    try:
        model, report = auto.from_pretrained(
            checkpoint.folder,
            trust_remote_code=False,
            dtype=torch.float32,
            attn_implementation="eager",
            output_loading_info=True,
        )
    except Exception as error:
        raise Refused(f"transformers cannot load the checkpoint ({type(error).__name__}): {error}") from error
    poolers = (
        "" if "Classification" in auto.__name__ else "pooler"
    )  # the last hidden states do not depend on the pooler
    if missing := sorted(name for name in report["missing_keys"] if not poolers or poolers not in name):
        raise Refused(f"The checkpoint lacks {', '.join(missing[:4])}: its scores would come from random weights.")
    if hasattr(model.config, "use_cache"):
        model.config.use_cache = False
    return model.eval()


def load_head(checkpoint: Checkpoint, options: Options, activation: str) -> Chain:
    """The head of a checkpoint, from its own file or under a prefix of HEADS."""
    if options.head is not None:
        return Chain.of(weights.load_file(options.head), activation)
    for prefix in HEADS:
        if held := weights.load_prefixed(checkpoint.folder, (prefix,)):
            return Chain.of(held, activation)
    raise Refused(f"The checkpoint has no head (a tensor under {', '.join(HEADS)}): name its file with --head.")


def make_writer(tokens: Tokens, network: nn.Module, options: Options) -> Callable[[Path], None]:
    """A function that writes the tokeniser and the graph of a network over tokens to a folder."""

    def write(folder: Path) -> None:
        tokens.write(folder)
        ids = torch.randint(0, 5, (3, 11), generator=torch.Generator().manual_seed(0))
        mask = (torch.arange(11)[None] < torch.tensor([[11], [7], [4]])).long()
        example = {"input_ids": torch.where(mask == 1, ids, tokens.settings["pad"]), "attention_mask": mask}
        if tokens.settings["types"]:
            example["token_type_ids"] = torch.zeros_like(ids)
        graph.export_graph(network, example, "scores", folder / GRAPH, options.dtype)

    return write


def apply_output(logits: torch.Tensor, output: str) -> Any:
    """Logits, or their sigmoid or softmax, as ``output`` says."""
    if output == "sigmoid":
        return torch.sigmoid(logits.float())
    return torch.softmax(logits.float(), dim=-1) if output == "softmax" else logits.float()
