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
    "aesthetic-siglip",
    "beaver",
    "bert",
    "clip",
    "critic",
    "deberta",
    "gated",
    "image-reward",
    "llama",
    "open-clip",
    "process-reward",
    "qrm",
    "qwen3",
    "siglip-first",
    "starling",
    "urm",
    "value-head",
)
"""Layouts that the converter's own tiny checkpoints have, under the same name."""


def write_same(name: str) -> Write:
    def write(folder: Path) -> None:
        from reward_models.convert import tiny

        tiny.everything()[name](folder)

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


def write_own_code(folder: Path) -> None:
    """A reranker whose class stands beside its weights, and computes something of its own."""
    from reward_models.convert import tiny

    tiny.everything()["llama"](folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    name = "LlamaBidirectionalForSequenceClassification"
    config |= {"architectures": [name], "auto_map": {"AutoModelForSequenceClassification": f"modeling_own.{name}"}}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "modeling_own.py").write_text(
        "from transformers import LlamaForSequenceClassification\n\n\n"
        f"class {name}(LlamaForSequenceClassification):\n"
        "    def forward(self, *args, **kwargs):\n"
        "        given = super().forward(*args, **kwargs)\n"
        "        given.logits = 2 * given.logits\n"
        "        return given\n",
        "utf-8",
    )


FILES: Mapping[str, str] = {"image-reward": "ImageReward.pt", "open-clip": "open_clip.pt"}
"""Layout of another library -> its file, beside the base that the command names."""

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
    "own-code": write_own_code,
}
"""Layout -> what writes such a checkpoint into a folder."""

_TEXT: Mapping[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_ROTATED: Mapping[str, Any] = {
    **_TEXT,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]},
}
_SEEN: Mapping[str, Any] = {"depth": 1, "num_heads": 2, "patch_size": 4, "spatial_merge_size": 2, "in_channels": 3}

CLASSES: Mapping[str, Mapping[str, Any]] = {
    "LlamaForCausalLM": _TEXT,
    "MistralForCausalLM": _TEXT,
    "MixtralForCausalLM": {**_TEXT, "num_local_experts": 2},
    "Qwen2ForCausalLM": _TEXT,
    "Qwen3ForCausalLM": {**_TEXT, "head_dim": 16},
    "GraniteForCausalLM": _TEXT,
    "Gemma2ForCausalLM": {**_TEXT, "head_dim": 16},
    "Gemma2Model": {**_TEXT, "head_dim": 16},
    "DebertaV2Model": {key: value for key, value in _TEXT.items() if key != "num_key_value_heads"},
    "Qwen2VLForConditionalGeneration": {
        "text_config": _ROTATED,
        "vision_config": {**_SEEN, "embed_dim": 32, "hidden_size": 32},
    },
    "Qwen2_5_VLForConditionalGeneration": {
        "text_config": _ROTATED,
        "vision_config": {**_SEEN, "hidden_size": 32, "out_hidden_size": 32, "intermediate_size": 24},
    },
    "Qwen3VLForConditionalGeneration": {
        "text_config": {**_ROTATED, "head_dim": 16},
        "vision_config": {
            **_SEEN,
            "hidden_size": 32,
            "out_hidden_size": 32,
            "intermediate_size": 24,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
    },
    "Idefics2ForConditionalGeneration": {
        "text_config": {"model_type": "mistral", **_TEXT},
        "vision_config": {
            "hidden_size": 16,
            "intermediate_size": 24,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 16,
            "patch_size": 4,
        },
        "perceiver_config": {
            "hidden_size": 32,
            "resampler_n_latents": 2,
            "resampler_depth": 1,
            "resampler_n_heads": 2,
            "resampler_head_dim": 8,
            "num_key_value_heads": 1,
        },
        "image_token_id": 299,
    },
}
"""Classes of transformers that families name -> a tiny configuration."""
