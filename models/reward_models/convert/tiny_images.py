"""Tiny checkpoints over images with random weights, as :mod:`reward_models.convert.tiny` has them over texts."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import sentencepiece
import torch
import transformers as hf
from tokenizers import processors
from torch import Tensor, nn

from reward_models.convert import tiny

TOWER: Mapping[str, int] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
"""Of both sides."""


def write_clip(folder: Path) -> None:
    """CLIP with its image processor's configuration."""
    tokenizer = tiny.bytes_tokenizer(model_max_length=32)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A <|end|>", special_tokens=[("<s>", 1), ("<|end|>", 7)]
    )
    text = {"vocab_size": len(tokenizer), "max_position_embeddings": 32, "bos_token_id": 1, "eos_token_id": 7}
    image = {"image_size": 24, "patch_size": 8}
    config = hf.CLIPConfig(text_config={**TOWER, **text}, vision_config={**TOWER, **image}, projection_dim=12)
    tiny.make_network(hf.CLIPModel, config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    side = {"shortest_edge": 24}
    said = hf.CLIPImageProcessorPil(size=side, crop_size={"height": 24, "width": 24})
    said.save_pretrained(folder)


def write_aesthetic(folder: Path) -> None:
    """CLIP and a head of two layers in a file of its own, ``head.pth``."""
    write_clip(folder)
    tensors = {"layers.0.weight": torch.randn(6, 12), "layers.0.bias": torch.randn(6)}
    torch.save(tensors | {"layers.2.weight": torch.randn(1, 6), "layers.2.bias": torch.randn(1)}, folder / "head.pth")


def write_siglip(folder: Path) -> None:
    """SigLIP as its second edition has it: a fixed resolution, a fast tokeniser, prompts filled up to 16 tokens."""
    tokenizer = tiny.bytes_tokenizer(model_max_length=16, model_input_names=["input_ids"])
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 2)]
    )
    text = {"vocab_size": len(tokenizer), "max_position_embeddings": 16, "projection_size": 16}
    config = hf.SiglipConfig(text_config={**TOWER, **text}, vision_config={**TOWER, "image_size": 24, "patch_size": 8})
    tiny.make_network(hf.SiglipModel, config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    hf.SiglipImageProcessorPil(size={"height": 24, "width": 24}).save_pretrained(folder)


def write_pictures(folder: Path) -> None:
    """An image classifier of three labels, one of which an image has."""
    labels = {0: "safe", 1: "unsafe", 2: "Drawn, not taken"}
    config = hf.ViTConfig(
        **TOWER, image_size=24, patch_size=8, id2label=labels, problem_type="single_label_classification"
    )
    tiny.make_network(hf.ViTForImageClassification, config).save_pretrained(folder)
    hf.ViTImageProcessorPil(size={"height": 24, "width": 24}).save_pretrained(folder)


def write_first_siglip(folder: Path) -> None:
    """SigLIP as its first edition has it: SentencePiece's model is its only tokeniser, in small letters."""
    write_siglip(folder)
    (folder / "tokenizer.json").unlink()
    with (folder / "spiece.model").open("wb") as model:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([text.lower() for text in tiny.make_corpus()] * 20),
            model_writer=model,
            vocab_size=120,
            model_type="unigram",
            hard_vocab_limit=False,
            minloglevel=2,
            bos_id=-1,
            eos_id=1,
            unk_id=2,
            pad_id=0,
        )
    said: dict[str, Any] = {"tokenizer_class": "SiglipTokenizer", "model_input_names": ["input_ids"]}
    said |= {"model_max_length": 16, "eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(said), "utf-8")


def write_sig_aesthetic(folder: Path) -> None:
    """Version 2.5 of the aesthetic predictor: SigLIP's image side and a file with layers, ``head.pth``."""
    write_siglip(folder)
    shapes = {"scoring_head.0": (12, 16), "scoring_head.2": (6, 12), "scoring_head.4": (1, 6)}
    tensors = {f"{name}.weight": torch.randn(shape) for name, shape in shapes.items()}
    tensors |= {f"{name}.bias": torch.randn(shape[0]) for name, shape in shapes.items()}
    torch.save(tensors, folder / "head.pth")


def write_nsfw(folder: Path) -> None:
    """An image classifier as those of unsafe images are: ViT, two labels."""
    config = hf.ViTConfig(**TOWER, image_size=24, patch_size=8, id2label={0: "normal", 1: "nsfw"})
    tiny.make_network(hf.ViTForImageClassification, config).save_pretrained(folder)
    hf.ViTImageProcessorPil(size={"height": 24, "width": 24}).save_pretrained(folder)


def write_blip(folder: Path) -> None:
    """BLIP for matching images and texts."""
    tokenizer = tiny.pieces_tokenizer(model_max_length=32, model_input_names=["input_ids", "attention_mask"])
    text = {"vocab_size": len(tokenizer), "max_position_embeddings": 48, "encoder_hidden_size": 16}
    seen = {"image_size": 32, "patch_size": 8}
    ends = {"bos_token_id": 1, "eos_token_id": 2, "sep_token_id": 2, "pad_token_id": 0}
    config = hf.BlipConfig(
        text_config={**TOWER, **text, **ends}, vision_config={**TOWER, **seen}, image_text_hidden_size=12
    )
    tiny.make_network(hf.BlipForImageTextRetrieval, config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    hf.BlipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)


def write_image_reward(folder: Path) -> None:
    """ImageReward's file, ``ImageReward.pt``, beside the BLIP that it was trained on; its images are smaller."""
    write_blip(folder)
    model = hf.BlipForImageTextRetrieval.from_pretrained(folder)
    names = (
        ("vision_model.embeddings.class_embedding", "blip.visual_encoder.cls_token"),
        ("vision_model.embeddings.position_embedding", "blip.visual_encoder.pos_embed"),
        ("vision_model.embeddings.patch_embedding", "blip.visual_encoder.patch_embed.proj"),
        ("vision_model.post_layernorm", "blip.visual_encoder.norm"),
        ("vision_model.encoder.layers", "blip.visual_encoder.blocks"),
        (".self_attn.projection", ".attn.proj"),
        (".self_attn.qkv", ".attn.qkv"),
        (".layer_norm", ".norm"),
        ("text_encoder.", "blip.text_encoder."),
        ("vision_proj.", "blip.vision_proj."),
        ("text_proj.", "blip.text_proj."),
    )
    tensors: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        if not name.startswith("itm_head."):
            for ours, theirs in names:
                name = name.replace(ours, theirs)
            tensors[name] = value.clone()
    tensors["blip.visual_encoder.pos_embed"] = tensors["blip.visual_encoder.pos_embed"][:, :10].clone()
    for layer, shape in enumerate(((20, 16), (8, 20), (4, 8), (3, 4), (1, 3))):
        index = (0, 2, 4, 6, 7)[layer]
        tensors[f"mlp.layers.{index}.weight"], tensors[f"mlp.layers.{index}.bias"] = (
            0.5 * torch.randn(shape),
            0.1 * torch.randn(shape[0]),
        )
    torch.save(tensors, folder / "ImageReward.pt")


class OpenClipBlock(nn.Module):  # type: ignore[misc, unused-ignore]
    """A layer as open_clip names its parts."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, inner), "c_proj": nn.Linear(inner, width)})


def write_open_clip(folder: Path) -> None:
    """open_clip's file, ``open_clip.pt``, beside the CLIP that it was trained on."""
    write_clip(folder)
    torch.manual_seed(1)
    config = hf.CLIPConfig.from_pretrained(folder)
    vocabulary = config.text_config.vocab_size
    tensors: dict[str, Tensor] = {"logit_scale": torch.tensor(4.0), "positional_embedding": torch.randn(32, 16)}
    tensors |= {"token_embedding.weight": torch.randn(vocabulary, 16), "text_projection": torch.randn(16, 12)}
    tensors |= {"visual.class_embedding": torch.randn(16), "visual.positional_embedding": torch.randn(10, 16)}
    tensors |= {"visual.conv1.weight": 0.2 * torch.randn(16, 3, 8, 8), "visual.proj": torch.randn(16, 12)}
    for norm in ("visual.ln_pre", "visual.ln_post", "ln_final"):
        tensors |= {f"{norm}.weight": 1 + 0.2 * torch.randn(16), f"{norm}.bias": 0.2 * torch.randn(16)}
    for side in ("visual.transformer", "transformer"):
        for layer in range(2):
            block = OpenClipBlock(16, 24)
            for name, value in block.state_dict().items():
                tensors[f"{side}.resblocks.{layer}.{name}"] = value + 0.2 * torch.randn_like(value)
    torch.save({"epoch": 3, "state_dict": tensors}, folder / "open_clip.pt")


IMAGES: Mapping[str, Callable[[Path], None]] = {
    "clip": write_clip,
    "siglip": write_siglip,
    "siglip-first": write_first_siglip,
    "pictures": write_pictures,
    "nsfw": write_nsfw,
    "aesthetic": write_aesthetic,
    "aesthetic-siglip": write_sig_aesthetic,
    "blip": write_blip,
    "image-reward": write_image_reward,
    "open-clip": write_open_clip,
}
"""Name -> what writes such a checkpoint into a folder."""
