"""BLIP checkpoints: the probability of a match (the ITM head), or ImageReward's layers on the prompt's first state."""

from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from reward_models.convert import graph, weights
from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.clips import IMAGES, image_settings, open_image
from reward_models.convert.loading import load_network
from reward_models.convert.networks import Chain
from reward_models.convert.options import Options
from reward_models.convert.plan import Plan, Row
from reward_models.convert.samples import image_rows
from reward_models.convert.texts import UNCHECKED
from reward_models.runtime.graphs import GRAPH
from reward_models.runtime.reading import TOKENIZER

LAYERS = "mlp.layers."
"""Prefix of ImageReward's head, which has nothing between its layers."""

MEAN, DEVIATION = 0.16717362830052426, 1.0333394966054072
"""Of ImageReward's scores, by which its code normalises them; no file of the checkpoint has them."""

LONGEST_PROMPT = 35
"""Tokens of a prompt that ImageReward's code reads."""

PROJECTIONS = ("vision_proj.", "text_proj.")
"""Of the contrastive score, on which the match does not depend."""


class Match(nn.Module):  # type: ignore[misc, unused-ignore]
    """BLIP's text side beside an image, its first state through the ITM head or a chain: [n, 1].

    Args:
        model: ``BlipForImageTextRetrieval``.
        head: ImageReward's layers; None for the probability that the ITM head gives.
    """

    def __init__(self, model: Any, head: Chain | None) -> None:
        super().__init__()
        self.model, self.head = model, head

    def forward(self, input_ids: Tensor, attention_mask: Tensor, pixel_values: Tensor) -> Tensor:
        dtype = next(self.model.parameters()).dtype
        image = self.model.vision_model(pixel_values=pixel_values.to(dtype)).last_hidden_state
        state = self.model.text_encoder(
            input_ids=input_ids,
            attention_mask=attention_mask,
            encoder_hidden_states=image,
            encoder_attention_mask=torch.ones(image.shape[:-1], dtype=torch.long),
        ).last_hidden_state[:, 0]
        if self.head is None:
            return torch.softmax(self.model.itm_head(state).float(), -1)[:, 1:]
        return (self.head(state).float() - MEAN) / DEVIATION


def plan_blip(checkpoint: Checkpoint, options: Options) -> Plan:
    """Image against prompt, by the head that the checkpoint has."""
    layers = weights.load_prefixed(checkpoint.folder, (LAYERS,))
    head = Chain.of(layers).eval() if layers else None
    absent = (*PROJECTIONS, *["itm_head."] * bool(layers))
    model = load_network(transformers.BlipForImageTextRetrieval, checkpoint, (LAYERS,), absent)
    processor, image = image_settings(checkpoint)
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint.folder, trust_remote_code=False)
    longest = int(model.config.text_config.max_position_embeddings)
    limit = min(options.max_length or (LONGEST_PROMPT if head else longest), longest)
    network = Match(model, head)

    def write(folder: Path) -> None:
        (folder / TOKENIZER).write_text(tokenizer.backend_tokenizer.to_str(), "utf-8")
        height, width = image["crop"] or image["resize"]
        example = {
            "input_ids": torch.tensor([[3, 4, 5, 1], [3, 4, 1, 1]]),
            "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]]),
            "pixel_values": torch.zeros(2, 3, height, width),
        }
        graph.export_graph(network, example, "score", folder / GRAPH, options.dtype)

    def by_torch(row: Row) -> list[float] | None:
        given = tokenizer(row["prompt"].decode(), truncation=True, max_length=limit, return_tensors="pt")
        with torch.no_grad():
            pixels = processor(images=open_image(row), return_tensors="pt")["pixel_values"].float()
            told = {name: given[name] for name in ("input_ids", "attention_mask")}
            found = model(pixel_values=pixels, **told)
            if head is None:
                return [float(found.itm_score.softmax(-1)[0, 1])]
            return [float((head(found.question_embeds[:, 0]) - MEAN) / DEVIATION)]

    (name,) = options.dimensions or ("match" if head is None else "preference",)
    how = "the probability of a match" if head is None else f"{len(head.layers)} layers, normalised"
    return Plan(
        kind=f"image-text reward model (BLIP, {how})",
        summary=f"How well an image fits its prompt, by {checkpoint.called}.",
        scorer=("blip", "BlipScorer"),
        inputs={"prompt": "What the image was to show, as plain text. An empty one is an error.", "images": IMAGES},
        dimensions={
            name: "Probability in [0, 1] that image and prompt belong together."
            if head is None
            else "How much people would like the image for its prompt, higher is better."
        },
        flags={"truncated": f"The prompt was over {limit} tokens and lost its end."},
        settings={
            "image": image,
            "prompt": {"tokens": limit, "pad": tokenizer.pad_token_id or 0, "types": False},
        },
        limits=[UNCHECKED],
        method=f"The first state of {type(model).__name__}'s text side, which looks at the image: {how}.",
        write=write,
        rows=image_rows(),
        reference=by_torch,
        max_batch=64,
        range=(0.0, 1.0) if head is None else None,
    )
