"""SigLIP (Zhai et al., 2023, arXiv:2303.15343): the probability that an image and a prompt belong together.

Score = sigmoid(exp(scale) · cosine + bias), both of the checkpoint. A prompt is filled up to the full length, as in
training: the text tower reads its last place, and no mask.
"""

from pathlib import Path

import torch
import transformers

from reward_models.convert import graph
from reward_models.convert.advice import IMAGE_WAYS
from reward_models.convert.canonical import build_tokenizer
from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.clips import IMAGES, export_image_graph, image_settings, open_image
from reward_models.convert.errors import Refused
from reward_models.convert.loading import load_network
from reward_models.convert.networks import ImageSide, TextSide
from reward_models.convert.options import Options
from reward_models.convert.plan import Plan, Row
from reward_models.convert.samples import image_rows
from reward_models.convert.texts import UNCHECKED
from reward_models.runtime.clip import TEXT_GRAPH
from reward_models.runtime.reading import TOKENIZER


def plan_siglip(checkpoint: Checkpoint, options: Options) -> Plan:
    """Image against prompt. Raises Refused without a padding token, or if the text tower is given masks."""
    model = load_network(transformers.SiglipModel, checkpoint)
    processor, image = image_settings(checkpoint)
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint.folder, trust_remote_code=False)
    if tokenizer.pad_token_id is None:
        raise Refused(f"Its tokeniser has no token to fill prompts up with: {IMAGE_WAYS}.")
    fast = tokenizer.backend_tokenizer if tokenizer.is_fast else build_tokenizer(tokenizer)
    if "attention_mask" in tokenizer.model_input_names:
        raise Refused("Its tokeniser gives attention masks (model_input_names), without which SigLIP was trained.")
    limit = int(model.config.text_config.max_position_embeddings)
    factor, bias = float(model.logit_scale.exp()), float(model.logit_bias)

    def write(folder: Path) -> None:
        (folder / TOKENIZER).write_text(fast.to_str(), "utf-8")
        export_image_graph(ImageSide(model), image, folder, options)
        ids = torch.ones(2, limit, dtype=torch.long)
        example = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        graph.export_graph(TextSide(model, masked=False), example, "embeddings", folder / TEXT_GRAPH, options.dtype)

    def by_torch(row: Row) -> list[float] | None:
        given = tokenizer(
            row["prompt"].decode(), padding="max_length", truncation=True, max_length=limit, return_tensors="pt"
        )
        with torch.no_grad():
            pixels = processor(images=open_image(row), return_tensors="pt")["pixel_values"].float()
            logits = model(input_ids=given["input_ids"], pixel_values=pixels).logits_per_image
        return [float(torch.sigmoid(logits)[0, 0])]

    (name,) = options.dimensions or ("match",)
    return Plan(
        kind="image-text reward model (SigLIP, probability)",
        summary=f"How well an image fits its prompt, by {checkpoint.called}.",
        scorer=("clip", "ClipScorer"),
        inputs={"prompt": "What the image was to show, as plain text. An empty one is an error.", "images": IMAGES},
        dimensions={name: "Probability in [0, 1] that image and prompt belong together."},
        flags={"truncated": f"The prompt was over {limit} tokens and lost its end."},
        settings={
            "score": "probability",
            "factor": factor,
            "bias": bias,
            "image": image,
            "prompt": {"tokens": limit, "pad": tokenizer.pad_token_id, "types": False, "filled": True},
        },
        limits=[UNCHECKED],
        method=f"sigmoid({factor:.6g} · cosine + {bias:.6g}), with both towers of {type(model).__name__}.",
        write=write,
        rows=image_rows(),
        reference=by_torch,
        max_batch=64,
        range=(0.0, 1.0),
    )
