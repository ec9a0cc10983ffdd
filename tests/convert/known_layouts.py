"""Tiny random checkpoints in the layouts of the families that ``reward-gateway models known`` lists.

Importable without torch, so that a test of the catalogue can tell which layouts there are.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Write = Callable[[Path], None]

SAME = (
    "aesthetic",
    "beaver",
    "bert",
    "clip",
    "critic",
    "deberta",
    "gated",
    "llama",
    "process-reward",
    "qwen3",
    "siglip",
    "starling",
    "value-head",
)
"""Layouts that the converter's own tiny checkpoints have, under the same name."""


def write_same(name: str) -> Write:
    def write(folder: Path) -> None:
        from reward_models.convert import tiny

        tiny.MADE[name](folder)

    return write


def write_encoder(name: str, **said: Any) -> Write:
    """A classifier of pairs."""

    def write(folder: Path) -> None:
        from reward_models.convert import tiny

        tiny.make_encoder(name, **said)(folder)

    return write


def write_headed(
    backbone: str, architecture: str, head: Mapping[str, tuple[int, int]], bias: bool = True, **said: Any
) -> Write:
    """A backbone and linear layers beside it, under a class whose code is not there."""

    def write(folder: Path) -> None:
        import torch
        import transformers
        from reward_models.convert import tiny
        from safetensors.torch import save_file

        tokenizer = tiny.bytes_tokenizer(tiny.LLAMA, model_max_length=1 << 40)
        config = getattr(transformers, f"{backbone}Config")(vocab_size=len(tokenizer), **tiny.DECODER)
        model = tiny.make_network(getattr(transformers, f"{backbone}Model"), config)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        tensors = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
        for name, shape in head.items():
            tensors[f"{name}.weight"] = 0.3 * torch.randn(shape)
            if bias:
                tensors[f"{name}.bias"] = 0.1 * torch.randn(shape[0])
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        content = json.loads((folder / "config.json").read_text("utf-8"))
        content |= {"architectures": [architecture], "auto_map": {"AutoModel": "modeling.py"}, **said}
        (folder / "config.json").write_text(json.dumps(content), "utf-8")

    return write


def write_language_with_mark(folder: Path) -> None:
    """A language model whose tokeniser has the mark of Math-Shepherd's steps."""
    from reward_models.convert import tiny

    tokenizer = tiny.bytes_tokenizer(model_max_length=1 << 40)
    tokenizer.add_tokens(["ки"])
    said = {**tiny.DECODER, "sliding_window": 64}
    tiny.save_classifier(folder, tokenizer, "Mistral", "CausalLM", said)


LAYOUTS: Mapping[str, Write] = {
    **{name: write_same(name) for name in SAME},
    "xlm-roberta": write_encoder("XLMRoberta", type_vocab_size=1),
    "modernbert": write_encoder("ModernBert", global_attn_every_n_layers=2, local_attention=32),
    "inf-orm": write_headed("Llama", "INFORMForSequenceClassification", {"score.0": (16, 16), "score.2": (1, 16)}),
    "qwen2-reward": write_headed("Qwen2", "Qwen2ForRewardModel", {"score.0": (16, 16), "score.2": (1, 16)}),
    "grm": write_headed(
        "Llama",
        "LlamaForCausalLM",
        {"v_head.summary.0": (16, 16), "v_head.summary.2": (1, 16)},
        vhead_layer_type="mlp",
    ),
    "athene": write_headed("Llama", "AtheneForSequenceClassification", {"v_head": (1, 16)}, bias=False),
    "regression-llama": write_headed("Llama", "LlamaRewardModel", {"regression_head": (1, 16)}, bias=False),
    "regression-mistral": write_headed("Mistral", "EurusRewardModel", {"regression_head": (1, 16)}, bias=False),
    "language-steps": write_language_with_mark,
}
"""Layout -> what writes such a checkpoint into a folder."""
