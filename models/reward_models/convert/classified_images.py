"""Image classifiers: K labels of an image, whatever was asked for (unsafe images, aesthetics, kinds of picture)."""

import torch
import transformers
from torch import Tensor, nn

from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.clips import IMAGES, export_image_graph, image_settings, open_image
from reward_models.convert.loading import load_network
from reward_models.convert.networks import Readout
from reward_models.convert.options import Options
from reward_models.convert.plan import Plan, Row
from reward_models.convert.samples import image_rows
from reward_models.convert.texts import UNCHECKED, Reading, name_dimensions


class ImageLabels(nn.Module):  # type: ignore[misc, unused-ignore]
    """An image classifier of ``transformers``: pixels to scores [n, K]."""

    def __init__(self, model: nn.Module, readout: Readout) -> None:
        super().__init__()
        self.model, self.readout = model, readout

    def forward(self, pixel_values: Tensor) -> Tensor:
        dtype = next(self.model.parameters()).dtype
        return self.readout(self.model(pixel_values=pixel_values.to(dtype)).logits)


def plan_image(checkpoint: Checkpoint, options: Options) -> Plan:
    """A classifier by the class of ``transformers`` that its configuration names; one label is a number as it is."""
    model = load_network(transformers.AutoModelForImageClassification, checkpoint)
    processor, image = image_settings(checkpoint)
    labels = [str(model.config.id2label[index]) for index in range(model.config.num_labels)]
    reading = Reading.of(checkpoint, options, len(labels))

    def by_torch(row: Row) -> list[float] | None:
        with torch.no_grad():
            pixels = processor(images=open_image(row), return_tensors="pt")["pixel_values"].float()
            return reading.scores(model(pixel_values=pixels).logits[0])

    names = name_dimensions(options, labels)
    return Plan(
        kind=f"image classification ({type(model).__name__})",
        summary=f"What {checkpoint.called} says of an image.",
        scorer=("clip", "ClipScorer"),
        inputs={"images": IMAGES},
        dimensions={name: f"The checkpoint's {reading.output} of {name}, higher for more of it." for name in names},
        flags={},
        settings={"score": "image", "image": image},
        limits=[UNCHECKED, "It looks at the image alone, whatever was asked for."],
        method=" ".join(filter(None, [f"{type(model).__name__} of an image.", reading.note])),
        write=lambda folder: export_image_graph(ImageLabels(model, reading.readout), image, folder, options),
        rows=image_rows(),
        reference=by_torch,
        max_batch=64,
        range=reading.range,
    )
