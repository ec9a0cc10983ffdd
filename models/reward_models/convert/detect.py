"""Which kind of reward model a checkpoint is, by its configuration and the names of its tensors."""

from collections.abc import Iterable

from reward_models.convert.advice import IMAGE_WAYS, advise_code
from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.families import family_of
from reward_models.convert.heads import PREDICTORS
from reward_models.convert.options import KINDS


def kind_of(checkpoint: Checkpoint, asked: str, tensors: Iterable[str]) -> str:
    """One of KINDS, by what the user ``asked`` for or the names of ``tensors``. Raises Refused if none fits."""
    if asked:
        if asked not in KINDS:
            raise Refused(f"There is no kind {asked!r}; there are {', '.join(KINDS)}.")
        return asked
    architecture, model_type = checkpoint.architecture, checkpoint.config.get("model_type")
    if (family := family_of(checkpoint)) is not None:
        return family.kind
    if architecture.endswith("ForSequenceClassification"):
        return "sequence"
    if architecture.endswith("ForTokenClassification"):
        raise Refused("A token classifier may score steps or tokens: say --kind steps or --kind tokens.")
    if architecture.endswith("ForImageClassification"):
        return "image"
    if model_type in ("clip", "siglip", "siglip_vision_model") and any(name.startswith(PREDICTORS) for name in tensors):
        return "aesthetic"  # predictors keep their layers beside the image side
    if model_type in ("siglip", "siglip2"):
        return "siglip"  # the second of the two types is NaFlex, which that kind refuses
    if model_type == "clip":
        return "clip"
    if model_type == "blip" and architecture == "BlipForImageTextRetrieval":
        return "blip"
    if any(name.startswith("v_head.") for name in tensors):
        raise Refused("A value head may score the whole answer or each step: say --kind head or --kind steps.")
    named = f"{architecture or 'The checkpoint'} ({model_type or 'of no known type'})"
    if "vision_config" in checkpoint.config and "text_config" not in checkpoint.config:
        raise Refused(f"{named} looks at images, and is of none of the kinds that are converted: {IMAGE_WAYS}.")
    raise Refused(
        f"{named} is no reward model by its configuration. With --kind it is taken for one; if its own code makes it "
        f"one, {advise_code(checkpoint.config)}; a model that answers in text is a judge, and belongs on an "
        "OpenAI-compatible server."
    )
