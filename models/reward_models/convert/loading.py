"""Loads networks and heads of checkpoints, and writes their graphs."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from reward_models.convert import graph, weights
from reward_models.convert.advice import IMAGE_WAYS, advise_code
from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.heads import HEADS, Head, find_head
from reward_models.convert.networks import Chain
from reward_models.convert.options import Options
from reward_models.convert.tensors import list_tensors
from reward_models.convert.tokens import Tokens
from reward_models.runtime.graphs import GRAPH

SPARE = ("lm_head.", "cls.predictions.", "cls.seq_relationship.")
"""Beginnings of tensors that no score depends on: heads of pretraining that were kept beside another."""

BUFFERS = (".inv_freq", ".position_ids", ".masked_bias", ".attn.bias")
"""Ends of the names of tensors that older versions of transformers saved and newer ones compute."""

BACKBONES = ("transformer.", "model.model.", "backbone.", "base_model.", "base_transformer.", "pretrained_model.model.")
"""Prefixes under which code of their own keeps a backbone, which transformers looks for elsewhere."""


def load_network(auto: Any, checkpoint: Checkpoint, spare: tuple[str, ...] = (), absent: tuple[str, ...] = ()) -> Any:
    """A complete network, loaded as the checkpoint's ``loading`` says.

    Args:
        auto: the class of ``transformers`` that chooses the network's.
        spare: beginnings of the names of tensors that are read otherwise, such as a head's.
        absent: beginnings of the names of tensors on which no score depends, so that they may be missing.

    Raises:
        Refused: it lacks tensors, has some that the network does not take, is of another class or needs its own code.
    """
    mapping, loading = find_prefix(checkpoint), checkpoint.loading
    advice = IMAGE_WAYS if "vision_config" in checkpoint.config else advise_code(checkpoint.config)
    try:
        model, report = auto.from_pretrained(
            checkpoint.folder,
            trust_remote_code=loading.trust_code,
            dtype=getattr(torch, loading.dtype),
            attn_implementation=loading.attention or None,
            output_loading_info=True,
            **({"key_mapping": mapping} if mapping else {}),
            **({"device_map": loading.device_map} if loading.device_map else {}),
        )
    except Exception as error:
        own = " It has code of its own, which is not run here." if checkpoint.config.get("auto_map") else ""
        raise Refused(
            f"transformers cannot load the checkpoint ({type(error).__name__}): {error}{own} Otherwise, {advice}."
        ) from error
    classified = "Classification" in auto.__name__
    if classified and checkpoint.architecture not in ("", type(model).__name__):
        raise Refused(
            f"config.json names the class {checkpoint.architecture}, and transformers loads {type(model).__name__}, "
            f"which may compute something else: {advice}."
        )
    poolers = "" if classified else "pooler"  # the last hidden states do not depend on the pooler
    needed = (name for name in report["missing_keys"] if not name.startswith(absent or ("/",)))
    if missing := sorted(name for name in needed if not poolers or poolers not in name):
        raise Refused(f"The checkpoint lacks {', '.join(missing[:4])}: its scores would come from random weights.")
    ignored = (*SPARE, *spare)
    unexpected = (name for name in report["unexpected_keys"] if not name.endswith(BUFFERS))
    if more := sorted(name for name in unexpected if not name.startswith(ignored)):
        raise Refused(
            f"The checkpoint has {', '.join(more[:4])}, which {type(model).__name__} does not take, so its scores may "
            f"depend on what would be left out: {advice}."
        )
    if hasattr(model.config, "use_cache"):
        model.config.use_cache = False
    return model.eval()


def find_prefix(checkpoint: Checkpoint) -> dict[str, str]:
    """Names of tensors as transformers expects them, for a backbone with layers under a prefix of another's code."""
    names = list_tensors(checkpoint.folder)
    for prefix in BACKBONES:
        if f"{prefix}embed_tokens.weight" in names:
            return {f"^{re.escape(prefix)}": "model."}
    return {}


def load_head(checkpoint: Checkpoint, options: Options, prefixes: Iterable[str] = HEADS) -> tuple[Chain, Head]:
    """The head of a checkpoint, from its own file or under its prefix, and what is known of it."""
    head = find_head(checkpoint, options, list_tensors(checkpoint.folder), prefixes)
    if options.head is not None:
        held = weights.load_file(options.head)
    else:
        held = weights.load_prefixed(checkpoint.folder, (head.prefix,))
    return Chain.of(held, head.activation).eval(), head


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
