"""CLIP checkpoints: the cosine of image and prompt, and linear heads on the image's embedding."""

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import torch
import transformers
from PIL import Image

from reward_models.convert import graph
from reward_models.convert.advice import IMAGE_WAYS
from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.heads import PREDICTORS
from reward_models.convert.loading import load_head, load_network
from reward_models.convert.networks import ImageSide, TextSide, unwrap_features
from reward_models.convert.options import Options
from reward_models.convert.plan import Plan, Row
from reward_models.convert.samples import image_rows
from reward_models.convert.texts import UNCHECKED
from reward_models.runtime.clip import IMAGE_GRAPH, TEXT_GRAPH
from reward_models.runtime.reading import TOKENIZER

IMAGES = (
    "One image or more, encoded (PNG, JPEG, WebP, GIF, BMP, TIFF; of an animation the first frame). Several count by "
    "the mean of their scores."
)
DEFAULTS = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}
"""CLIP's own, if a configuration has none."""


PROCESSORS = ("CLIP", "Siglip", "ViT", "DeiT", "Blip")
"""Image processors of transformers whose steps the runtime has: scaling, cropping, mean and deviation."""

NO_SETTINGS = ("image_processor_type", "feature_extractor_type", "processor_class", "auto_map", "crop_rounded")


class RoundedCrops(transformers.CLIPImageProcessorPil):  # type: ignore[misc, unused-ignore]
    """CLIP's image processor with the crop of torchvision, which rounds half of an odd rest to an even number."""

    def center_crop(self, image: Any, size: Any, **_: Any) -> Any:
        """An image [3, height, width] that is no smaller than ``size``."""
        top, left = round((image.shape[1] - size.height) / 2), round((image.shape[2] - size.width) / 2)
        return image[:, top : top + size.height, left : left + size.width]


def plan_clip(checkpoint: Checkpoint, options: Options, kind: str) -> Plan:
    """Image against prompt: ``clip`` (cosine), ``pickscore`` (times the logit scale) or ``hps`` (times 100)."""
    model = load_network(transformers.CLIPModel, checkpoint)
    factor = {"clip": 1.0, "hps": 100.0, "pickscore": float(model.logit_scale.exp())}[kind]
    processor, image = image_settings(checkpoint)
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint.folder, trust_remote_code=False)
    config = model.config.text_config
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else config.eos_token_id
    limit = min(options.max_length or config.max_position_embeddings, config.max_position_embeddings)

    def write(folder: Path) -> None:
        (folder / TOKENIZER).write_text(tokenizer.backend_tokenizer.to_str(), "utf-8")
        export_image_graph(ImageSide(model), image, folder, options)
        last = config.eos_token_id if config.eos_token_id != 2 else config.vocab_size - 1
        ids = torch.tensor([[3, 4, 5, last, last], [3, 4, last, last, last]])
        mask = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]])
        example = {"input_ids": ids, "attention_mask": mask}
        graph.export_graph(TextSide(model), example, "embeddings", folder / TEXT_GRAPH, options.dtype)

    def by_torch(row: Row) -> list[float] | None:
        given = tokenizer(row["prompt"].decode(), truncation=True, max_length=limit, return_tensors="pt")
        with torch.no_grad():
            pixels = processor(images=open_image(row), return_tensors="pt")["pixel_values"].float()
            told = {name: given[name] for name in ("input_ids", "attention_mask")}
            cosine = model(pixel_values=pixels, **told).logits_per_image / model.logit_scale.exp()
        return [float(cosine[0, 0]) * factor]

    words = {"clip": "the cosine", "pickscore": f"{factor:.4g} times the cosine", "hps": "100 times the cosine"}[kind]
    (name,) = options.dimensions or ("match",)
    return Plan(
        kind=f"image-text reward model (CLIP, {words})",
        summary=f"How well an image fits its prompt, by {checkpoint.called}.",
        scorer=("clip", "ClipScorer"),
        inputs={"prompt": "What the image was to show, as plain text. An empty one is an error.", "images": IMAGES},
        dimensions={name: f"{words.capitalize()} of image and prompt, higher is better."},
        flags={"truncated": f"The prompt was over {limit} tokens and lost its end."},
        settings={
            "score": "match",
            "factor": factor,
            "image": image,
            "prompt": {"tokens": limit, "pad": pad, "types": False},
        },
        limits=[UNCHECKED],
        method=f"Both towers of {type(model).__name__}; embeddings of length 1.",
        write=write,
        rows=image_rows(),
        reference=by_torch,
        max_batch=64,
    )


def plan_aesthetic(checkpoint: Checkpoint, options: Options) -> Plan:
    """Linear layers on the unit image embedding of CLIP or SigLIP, as in LAION's predictors and in version 2.5."""
    # Both have several layers and nothing between them.
    head, _ = load_head(checkpoint, replace(options, activation=options.activation or "none"), PREDICTORS)
    tower = load_tower(checkpoint)
    processor, image = image_settings(checkpoint)

    def by_torch(row: Row) -> list[float] | None:
        with torch.no_grad():
            pixels = processor(images=open_image(row), return_tensors="pt")["pixel_values"].float()
            embedding = unwrap_features(tower.get_image_features(pixel_values=pixels))
            return list(head(embedding / embedding.norm(dim=-1, keepdim=True))[0].tolist())

    if head.outputs != 1:
        raise Refused(f"The head gives {head.outputs} numbers; an aesthetic score is one.")
    (name,) = options.dimensions or ("aesthetic",)
    return Plan(
        kind=f"image reward model ({len(head.layers)} linear layers on the image embedding of {checkpoint.network})",
        summary=f"How pleasing an image is, by {checkpoint.called}.",
        scorer=("clip", "ClipScorer"),
        inputs={"images": IMAGES},
        dimensions={name: "The head's number, higher is better."},
        flags={},
        settings={"score": "aesthetic", "image": image},
        limits=[UNCHECKED, "It looks at the image alone, whatever was asked for."],
        method="The image embedding of length 1 through the head.",
        write=lambda folder: export_image_graph(ImageSide(tower, head), image, folder, options),
        rows=image_rows(),
        reference=by_torch,
        max_batch=64,
    )


def load_tower(checkpoint: Checkpoint) -> Any:
    """The image side of CLIP or SigLIP, alone or beside the text side, with ``get_image_features``."""
    sig = str(checkpoint.config.get("model_type")).startswith("siglip")
    if "text_config" in checkpoint.config:
        return load_network(transformers.SiglipModel if sig else transformers.CLIPModel, checkpoint, PREDICTORS)
    alone = transformers.SiglipVisionModel if sig else transformers.CLIPVisionModelWithProjection
    return ImageAlone(load_network(alone, checkpoint, PREDICTORS))


class ImageAlone(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """An image tower alone, with the method name of the full model."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def get_image_features(self, pixel_values: torch.Tensor) -> Any:
        """The projected embedding of CLIP's, the pooled one of SigLIP's."""
        given = self.model(pixel_values=pixel_values)
        return given.image_embeds if hasattr(given, "image_embeds") else given.pooler_output


def export_image_graph(network: torch.nn.Module, image: dict[str, Any], folder: Path, options: Options) -> None:
    """``image.onnx`` of a tower."""
    height, width = image["crop"] or image["resize"]
    pixels = torch.zeros(2, 3, height, width)
    graph.export_graph(network, {"pixel_values": pixels}, "values", folder / IMAGE_GRAPH, options.dtype)


def image_settings(checkpoint: Checkpoint) -> tuple[Any, dict[str, Any]]:
    """The checkpoint's image processor, and the ``settings`` of :class:`reward_models.runtime.pixels.PixelReader`.

    Raises Refused for a processor that the runtime cannot reproduce.
    """
    said = checkpoint.read_json("preprocessor_config.json") or checkpoint.read_json("processor_config.json").get(
        "image_processor", {}
    )
    if not said:
        raise Refused("The checkpoint has no preprocessor_config.json: how it prepares images is unknown.")
    named = str(said.get("image_processor_type") or said.get("feature_extractor_type") or "CLIP")
    named = re.sub(r"(ImageProcessor|FeatureExtractor)(Fast|Pil)?$", "", named)
    if named not in PROCESSORS:
        raise Refused(
            f"Its images are prepared by {named}ImageProcessor, not by that of {', '.join(PROCESSORS)}: {IMAGE_WAYS}."
        )
    rounded = bool(said.get("crop_rounded"))
    of_module = RoundedCrops if rounded else getattr(transformers, f"{named}ImageProcessorPil")
    processor = of_module(**{key: value for key, value in said.items() if key not in NO_SETTINGS})
    if abs(float(processor.rescale_factor) - 1 / 255) > 1e-9 or not (processor.do_rescale and processor.do_normalize):
        raise Refused("The image processor must scale values by 1/255, mean and standard deviation only.")
    size = dict(processor.size) if processor.do_resize else {}
    resize: int | list[int] | None = None
    if size.get("shortest_edge"):
        resize = int(size["shortest_edge"])
    elif size.get("height"):
        resize = [int(size["height"]), int(size["width"])]
    crop = dict(processor.crop_size) if getattr(processor, "do_center_crop", False) else {}
    cut = [int(crop["height"]), int(crop["width"])] if crop else None
    if cut is None and not isinstance(resize, list):
        raise Refused(
            "The image processor returns images of different sizes: neither a crop nor a fixed size is configured."
        )
    return processor, {
        "resize": resize,
        "resample": int(processor.resample),
        "crop": cut,
        **({"crop_rounded": True} if rounded else {}),
        "mean": [float(value) for value in processor.image_mean or DEFAULTS["mean"]],
        "std": [float(value) for value in processor.image_std or DEFAULTS["std"]],
    }


def open_image(row: Row) -> Image.Image:
    """The image of a row."""
    return Image.open(io.BytesIO(msgpack.unpackb(row["images"])[0])).convert("RGB")
