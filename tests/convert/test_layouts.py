"""Weights in another library's layout score as that library computes: against networks written from its papers."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import msgpack  # noqa: E402
from PIL import Image  # noqa: E402
from reward_models.convert import Options, Refused  # noqa: E402
from reward_models.convert.add import add_checkpoint  # noqa: E402
from reward_models.convert.samples import image_rows  # noqa: E402
from reward_models.repository import card as cards  # noqa: E402
from reward_models.runtime.blip import BlipScorer  # noqa: E402
from reward_models.runtime.clip import ClipScorer  # noqa: E402
from reward_models.runtime.instance import Instance  # noqa: E402
from reward_models.runtime.session import Device  # noqa: E402
from torch.nn import functional  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

Make = Callable[[str], Path]
Tensors = dict[str, Any]

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]


def prepare(row: Any, side: int) -> Any:
    """An image as torchvision's Resize, CenterCrop and Normalize make it: [1, 3, side, side]."""
    image = Image.open(io.BytesIO(msgpack.unpackb(row["images"])[0])).convert("RGB")
    width, height = image.size
    longer = int(side * max(width, height) / min(width, height))
    size = (side, longer) if width <= height else (longer, side)
    image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = round((image.width - side) / 2.0), round((image.height - side) / 2.0)
    pixels = np.asarray(image.crop((left, top, left + side, top + side)), np.float32) / 255
    return ((torch.from_numpy(pixels).permute(2, 0, 1) - MEAN) / STD)[None]


def norm(x: Any, held: Tensors, name: str, epsilon: float = 1e-5) -> Any:
    return functional.layer_norm(x, x.shape[-1:], held[f"{name}.weight"], held[f"{name}.bias"], epsilon)


def linear(x: Any, held: Tensors, name: str) -> Any:
    return functional.linear(x, held[f"{name}.weight"], held[f"{name}.bias"])


def attend(query: Any, key: Any, value: Any, heads: int, mask: Any = None) -> Any:
    """Attention of [1, n, width] to [1, m, width]."""
    parts = [x.reshape(1, -1, heads, x.shape[-1] // heads).transpose(1, 2) for x in (query, key, value)]
    return functional.scaled_dot_product_attention(*parts, attn_mask=mask).transpose(1, 2).reshape(query.shape)


def patches(pixels: Any, weight: Any, bias: Any = None) -> Any:
    return functional.conv2d(pixels, weight, bias, stride=weight.shape[-1]).flatten(2).transpose(1, 2)


def open_clip_scores(held: Tensors, row: Any, ids: list[int], side: int) -> float:
    """100 times the cosine, by open_clip's tensors."""

    def run(x: Any, prefix: str, mask: Any) -> Any:
        for layer in range(2):
            block = f"{prefix}.resblocks.{layer}"
            y = norm(x, held, f"{block}.ln_1")
            joined = functional.linear(y, held[f"{block}.attn.in_proj_weight"], held[f"{block}.attn.in_proj_bias"])
            query, key, value = joined.chunk(3, -1)
            x = x + linear(attend(query, key, value, 2, mask), held, f"{block}.attn.out_proj")
            y = linear(norm(x, held, f"{block}.ln_2"), held, f"{block}.mlp.c_fc")
            x = x + linear(y * torch.sigmoid(1.702 * y), held, f"{block}.mlp.c_proj")
        return x

    seen = patches(prepare(row, side), held["visual.conv1.weight"])
    seen = torch.cat([held["visual.class_embedding"][None, None], seen], 1) + held["visual.positional_embedding"]
    seen = run(norm(seen, held, "visual.ln_pre"), "visual.transformer", None)
    image = norm(seen[:, 0], held, "visual.ln_post") @ held["visual.proj"]
    read = held["token_embedding.weight"][torch.tensor([ids])] + held["positional_embedding"][: len(ids)]
    causal = torch.full((len(ids), len(ids)), -torch.inf).triu(1)
    text = norm(run(read, "transformer", causal)[:, -1], held, "ln_final") @ held["text_projection"]
    return 100 * float(functional.cosine_similarity(image, text))


def image_reward_scores(held: Tensors, row: Any, ids: list[int], side: int) -> float:
    """ImageReward's number, by its tensors."""
    at = "blip.visual_encoder"
    weight, bias = held[f"{at}.patch_embed.proj.weight"], held[f"{at}.patch_embed.proj.bias"]
    x = torch.cat([held[f"{at}.cls_token"], patches(prepare(row, side), weight, bias)], 1) + held[f"{at}.pos_embed"]
    for layer in range(2):
        block = f"{at}.blocks.{layer}"
        joined = linear(norm(x, held, f"{block}.norm1", 1e-6), held, f"{block}.attn.qkv")
        query, key, value = joined.chunk(3, -1)
        x = x + linear(attend(query, key, value, 2), held, f"{block}.attn.proj")
        y = functional.gelu(linear(norm(x, held, f"{block}.norm2", 1e-6), held, f"{block}.mlp.fc1"))
        x = x + linear(y, held, f"{block}.mlp.fc2")
    image = norm(x, held, f"{at}.norm", 1e-6)

    at = "blip.text_encoder"
    words = held[f"{at}.embeddings.word_embeddings.weight"][torch.tensor([ids])]
    x = words + held[f"{at}.embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x, held, f"{at}.embeddings.LayerNorm", 1e-12)
    for layer in range(2):
        block = f"{at}.encoder.layer.{layer}"
        for name, other in (("attention", None), ("crossattention", image)):
            source = x if other is None else other
            query = linear(x, held, f"{block}.{name}.self.query")
            key, value = (linear(source, held, f"{block}.{name}.self.{part}") for part in ("key", "value"))
            y = linear(attend(query, key, value, 2), held, f"{block}.{name}.output.dense")
            x = norm(x + y, held, f"{block}.{name}.output.LayerNorm", 1e-12)
        y = functional.gelu(linear(x, held, f"{block}.intermediate.dense"))
        x = norm(x + linear(y, held, f"{block}.output.dense"), held, f"{block}.output.LayerNorm", 1e-12)
    score = x[:, 0]
    for index in (0, 2, 4, 6, 7):
        score = linear(score, held, f"mlp.layers.{index}")
    return (float(score) - 0.16717362830052426) / 1.0333394966054072


@pytest.mark.parametrize(
    ("made", "file", "kind", "scorer", "reference"),
    [
        ("open-clip", "open_clip.pt", "hps", ClipScorer, open_clip_scores),
        ("image-reward", "ImageReward.pt", "", BlipScorer, image_reward_scores),
    ],
)
def test_it_scores_as_the_library_does(
    made: str,
    file: str,
    kind: str,
    scorer: Any,
    reference: Callable[[Tensors, Any, list[int], int], float],
    checkpoint: Make,
    repository: Path,
) -> None:
    base = checkpoint(made)
    options = Options(kind=kind, base=str(base))
    added = add_checkpoint(str(base / file), "model", repository, options, say=lambda line: None)
    assert added.engine == "onnx"
    card = cards.read_card(repository / "model")
    assert card.content["source"]["checkpoint"].startswith(f"{file} (")
    side = card.content["settings"]["image"]["resize"]
    held = torch.load(base / file, weights_only=True)
    held = held.get("state_dict", held)
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    limit = card.content["settings"]["prompt"]["tokens"]
    rows = image_rows()
    with torch.no_grad():
        wanted = [
            reference(held, row, tokenizer(row["prompt"].decode(), truncation=True, max_length=limit).input_ids, side)
            for row in rows
        ]
    flags = tuple(card.content["flags"])
    instance = Instance(repository / "model" / "1", tuple(card.dimensions), flags, card.content, Device())
    found = scorer(instance).score({name: [row[name] for row in rows] for name in rows[0]}, len(rows))
    np.testing.assert_allclose(found.scores[:, 0], wanted, rtol=1e-4, atol=1e-4)
    assert np.std(wanted) > 0.1


def test_weights_alone_ask_for_their_base(checkpoint: Make, repository: Path) -> None:
    source = checkpoint("open-clip") / "open_clip.pt"
    with pytest.raises(Refused, match=r"the weights alone, in open_clip's layout: name .* with --base"):
        add_checkpoint(str(source), "model", repository, Options(kind="hps"), say=lambda line: None)
    assert list(repository.iterdir()) == []
