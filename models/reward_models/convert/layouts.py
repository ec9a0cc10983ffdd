"""Weights in the layout of another library, rewritten as a checkpoint of transformers: open_clip's and ImageReward's.

Such weights are one file of tensors: no configuration, no tokeniser. Those are of the ``base``, the checkpoint of
transformers that they were trained on; how images are prepared is what the other library does.
"""

import json
import math
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reward_models.convert import hub
from reward_models.convert.checkpoint import Checkpoint, open_checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.tensors import SUFFIXES, Infos, read_header

if TYPE_CHECKING:
    import torch

Renamed = Iterator[tuple[str, "torch.Tensor"]]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a library lays a network out.

    Attributes:
        name: of the library.
        marks: names of tensors by which its files are known.
        model_type: of the base.
        base: an example of one, for messages.
        rename: a tensor to those of transformers, with their names; none for what no score depends on.
        positions: the name of the image side's positions, of which there is one for each patch and one more.
        configure: changes to the base's ``config.json``, by the image's side in pixels.
        prepare: ``preprocessor_config.json``, by the base's and the image's side.
    """

    name: str
    marks: tuple[str, ...]
    model_type: str
    base: str
    rename: Callable[[str, "torch.Tensor"], Renamed]
    positions: str
    configure: Callable[[dict[str, Any], int], dict[str, Any]]
    prepare: Callable[[dict[str, Any], int], dict[str, Any]]


def find_file(source: str, revision: str = "") -> Path | None:
    """The file of weights that a source is, here or on the hub (``owner/name/FILE``); None for a folder or a hub id.

    Raises:
        Refused: the hub has no such file.
    """
    path = Path(source).expanduser()
    if path.is_file() and path.suffix in SUFFIXES:
        return path
    of_hub = re.fullmatch(r"([\w.-]+/[\w.-]+)/([\w.-]+)", source)
    if of_hub and not path.exists() and source.endswith(SUFFIXES):
        return hub.download_file(of_hub[1], of_hub[2], revision)
    return None


def find_layout(path: Path) -> Layout:
    """The layout of a file of weights. Raises Refused if it is of no known one."""
    tensors = read_header(path)
    for layout in LAYOUTS:
        if all(mark in tensors for mark in layout.marks):
            return layout
    some, known = ", ".join(sorted(tensors)[:3]), " or ".join(layout.name for layout in LAYOUTS)
    some, known = ", ".join(sorted(tensors)[:3]), " or ".join(layout.name for layout in LAYOUTS)
    raise Refused(
        f"{path.name} is one file of weights, and its tensors ({some} …) are not in the layout of {known}: give the "
        "folder of a checkpoint of transformers."
    )


def rewrite_weights(path: Path, source: str, layout: Layout, base: Checkpoint, folder: Path) -> Checkpoint:
    """Write a checkpoint of transformers to a folder, tensor by tensor.

    Args:
        path: the file of weights.
        source: as the user named it, for the card: a file, or one of the hub, whose folder is then its commit.
        layout: of the file.
        base: gives the configuration and the tokeniser.
        folder: is written to.

    Raises:
        Refused: the base is of another type, or the file has tensors that the layout does not.
    """
    if (model_type := base.config.get("model_type")) != layout.model_type:
        raise Refused(
            f"--base is to be of type {layout.model_type} (such as {layout.base}) for weights in {layout.name}'s "
            f"layout; {base.called} is {model_type or 'of no known type'}."
        )
    from reward_models.convert import weights

    side = find_side(read_header(path), layout, base)
    writer = weights.ShardWriter(folder)
    for name, value in weights.iterate_file(path):
        for renamed, tensor in layout.rename(name, value):
            writer.add(renamed, tensor)
    writer.close()
    for file in base.folder.iterdir():
        if file.suffix in (".json", ".txt", ".model") and not file.name.endswith(".index.json"):
            shutil.copy2(file, folder)
    said = base.read_json("preprocessor_config.json")
    write_json(folder / "config.json", layout.configure(dict(base.config), side))
    write_json(folder / "preprocessor_config.json", layout.prepare(said, side))
    called = path.name if Path(source).expanduser().is_file() else source
    origin = "a local file" if called == path.name else path.parent.name
    return open_checkpoint(folder, f"{called} ({layout.name}) on {base.called}", f"{origin}, rewritten")


def find_side(tensors: Infos, layout: Layout, base: Checkpoint) -> int:
    """The side of the images in pixels, by the positions of the image side."""
    patches: int = tensors[layout.positions].shape[-2] - 1
    return math.isqrt(patches) * int((base.config.get("vision_config") or {}).get("patch_size", 16))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object to a file."""
    path.write_text(json.dumps(content), "utf-8")


def rename_all(name: str, changes: tuple[tuple[str, str], ...]) -> str:
    """A name with every pattern replaced, in their order."""
    for pattern, replacement in changes:
        name = re.sub(pattern, replacement, name)
    return name


CLIP_NAMES = (
    (r"^visual\.class_embedding$", "vision_model.embeddings.class_embedding"),
    (r"^visual\.positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
    (r"^visual\.conv1\.", "vision_model.embeddings.patch_embedding."),
    (r"^visual\.ln_pre\.", "vision_model.pre_layrnorm."),  # spelt so in transformers
    (r"^visual\.ln_post\.", "vision_model.post_layernorm."),
    (r"^visual\.proj$", "visual_projection.weight"),
    (r"^visual\.transformer\.resblocks\.", "vision_model.encoder.layers."),
    (r"^positional_embedding$", "text_model.embeddings.position_embedding.weight"),
    (r"^token_embedding\.", "text_model.embeddings.token_embedding."),
    (r"^ln_final\.", "text_model.final_layer_norm."),
    (r"^text_projection$", "text_projection.weight"),
    (r"^transformer\.resblocks\.", "text_model.encoder.layers."),
    (r"\.ln_([12])\.", r".layer_norm\1."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
    (r"\.attn\.", ".self_attn."),
)


def rename_clip(name: str, value: "torch.Tensor") -> Renamed:
    """A tensor of open_clip's CLIP."""
    if name == "attn_mask":
        return
    renamed = rename_all(name, CLIP_NAMES)
    if joined := re.fullmatch(r"(.*)\.in_proj_(weight|bias)", renamed):
        for side, part in zip("qkv", value.chunk(3), strict=True):
            yield f"{joined[1]}.{side}_proj.{joined[2]}", part
    else:
        yield renamed, value.T if name in ("visual.proj", "text_projection") else value


BLIP_NAMES = (
    (r"^blip\.text_encoder\.", "text_encoder."),
    (r"^blip\.(vision|text)_proj\.", r"\1_proj."),
    (r"^blip\.visual_encoder\.patch_embed\.proj\.", "vision_model.embeddings.patch_embedding."),
    (r"^blip\.visual_encoder\.pos_embed$", "vision_model.embeddings.position_embedding"),
    (r"^blip\.visual_encoder\.cls_token$", "vision_model.embeddings.class_embedding"),
    (r"^blip\.visual_encoder\.norm\.", "vision_model.post_layernorm."),
    (r"^blip\.visual_encoder\.blocks\.", "vision_model.encoder.layers."),
    (r"(^vision_model\.encoder\..*)\.norm([12])\.", r"\1.layer_norm\2."),
    (r"\.attn\.proj\.", ".self_attn.projection."),
    (r"\.attn\.qkv\.", ".self_attn.qkv."),
)


def rename_blip(name: str, value: "torch.Tensor") -> Renamed:
    """A tensor of ImageReward."""
    if not name.endswith("position_ids"):
        yield rename_all(name, BLIP_NAMES), value


def configure_clip(config: dict[str, Any], side: int) -> dict[str, Any]:
    """CLIP's, for images of another size."""
    return config | {"architectures": ["CLIPModel"], "vision_config": config["vision_config"] | {"image_size": side}}


def configure_blip(config: dict[str, Any], side: int) -> dict[str, Any]:
    """BLIP's, for images of another size; ImageReward's image side divides by deviations plus 1e-6."""
    seen = config["vision_config"] | {"image_size": side, "layer_norm_eps": 1e-6}
    return config | {"architectures": ["BlipForImageTextRetrieval"], "vision_config": seen}


def prepare_cropped(said: dict[str, Any], side: int) -> dict[str, Any]:
    """The shorter side scaled, the middle cut out as torchvision does; mean and deviation of the base, else CLIP's."""
    kept: dict[str, Any] = {name: said[name] for name in ("image_mean", "image_std") if name in said}
    cut = {"height": side, "width": side}
    return {
        **kept,
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": side},
        "crop_size": cut,
        "crop_rounded": True,
    }


LAYOUTS = (
    Layout(
        "open_clip",
        ("visual.conv1.weight", "token_embedding.weight", "text_projection"),
        "clip",
        "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        rename_clip,
        "visual.positional_embedding",
        configure_clip,
        prepare_cropped,
    ),
    Layout(
        "ImageReward",
        ("blip.visual_encoder.pos_embed", "mlp.layers.0.weight"),
        "blip",
        "Salesforce/blip-itm-large-coco",
        rename_blip,
        "blip.visual_encoder.pos_embed",
        configure_blip,
        prepare_cropped,
    ),
)
"""Every layout that is rewritten."""
