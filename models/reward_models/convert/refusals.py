"""What cannot be converted faithfully, found in ``config.json`` and the names of tensors, before torch is loaded."""

from collections.abc import Mapping
from dataclasses import replace

from reward_models.convert.advice import IMAGE_WAYS, OTHER_WAYS, advise_code, brings_code
from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import NoGraph, Refused
from reward_models.convert.families import family_of
from reward_models.convert.heads import PREDICTORS, find_head
from reward_models.convert.options import IMAGE_KINDS, Options
from reward_models.convert.tensors import TensorInfo

Infos = Mapping[str, TensorInfo]

QUANTISED = (".qweight", ".qzeros", ".weight_scale", ".weight_scale_inv", ".weight_packed", ".absmax", ".SCB")
"""Ends of the names of tensors that only quantised checkpoints have."""

WINDOWED = ("longformer", "led", "big_bird", "bigbird_pegasus", "reformer")
"""Model types whose network depends on a text's length, so that one graph is not all of it."""

EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
"""Where configurations count the experts of a mixture."""

GATES = (
    "gating.",
    "regression_layer.",
    "reward_transform_matrix",
    "quantile",
    "weight_layer.",
    "weights.",
    "cls_layer.",
)
"""Beginnings of tensors that weigh or transform scores, in ArmoRM, QRM and URM."""

CLASSES = {
    "gpt-sw3": "gpt2",
    "hunyuan_v1_dense": "hunyuandensev1",
    "hunyuan_v1_moe": "hunyuanmoev1",
}
"""Model types whose class has another name in transformers: letters and digits of that name."""

IMAGE_TYPES: Mapping[str, tuple[str, ...]] = {
    "clip": ("clip",),
    "pickscore": ("clip",),
    "hps": ("clip",),
    "siglip": ("siglip",),
    "blip": ("blip",),
    "aesthetic": ("clip", "clip_vision_model", "siglip", "siglip_vision_model"),
}
"""Kind that looks at images -> model types that it is for."""


def check_checkpoint(checkpoint: Checkpoint, tensors: Infos, options: Options) -> None:
    """Raise Refused if a checkpoint cannot become a model that scores as its own code does.

    Args:
        checkpoint: what is to be converted.
        tensors: all of its tensors.
        options: of the conversion; its kind has been found.
    """
    _refuse_quantised(checkpoint, tensors)
    if options.kind in IMAGE_KINDS:
        _refuse_other_images(checkpoint, options.kind)
    else:
        _refuse_vision(checkpoint, options)
        if options.engine in ("onnx", "auto"):
            _refuse_experts(checkpoint)
            _refuse_windowed(checkpoint)
    if options.trust_remote_code:
        return  # it computes by its own code, whatever that is
    if options.kind != "gated":
        _refuse_gates(checkpoint, tensors)
    in_parts = options.kind in ("steps", "tokens")
    if options.kind == "sequence":
        _refuse_other_class(checkpoint, options.kind, "ForSequenceClassification")
    elif in_parts and checkpoint.architecture.endswith("ForTokenClassification"):
        _refuse_other_class(checkpoint, options.kind, "ForTokenClassification")
    elif options.kind == "head" or (in_parts and not options.answers):
        find_head(checkpoint, options, tensors)
    elif options.kind == "aesthetic":
        find_head(checkpoint, replace(options, activation="none"), tensors, PREDICTORS)


def _refuse_quantised(checkpoint: Checkpoint, tensors: Infos) -> None:
    said = checkpoint.config.get("quantization_config") or checkpoint.config.get("compression_config") or {}
    method = str(said.get("quant_method", "")) if isinstance(said, dict) else ""
    if not method and any(info.dtype.startswith("F8") for info in tensors.values()):
        method = "fp8"
    if not method and any(name.endswith(QUANTISED) for name in tensors):
        method = "an unnamed method"
    if method:
        raise Refused(
            f"Its weights are quantised ({method.upper() if len(method) < 5 else method}), for which a graph has no "
            "operators: serve it with vLLM or SGLang and name that server as an upstream, or convert the checkpoint "
            "that it was quantised from."
        )


def _refuse_other_images(checkpoint: Checkpoint, kind: str) -> None:
    model_type = checkpoint.config.get("model_type", "")
    types = IMAGE_TYPES.get(kind)
    if types is None or model_type in types:
        return
    fitting = [name for name, some in IMAGE_TYPES.items() if model_type in some]
    advice = f"use --kind {' or '.join(fitting)}" if fitting else IMAGE_WAYS
    raise Refused(
        f"--kind {kind} is for {' and '.join(types)}; the checkpoint is {model_type or 'of no known type'}: {advice}."
    )


def _refuse_vision(checkpoint: Checkpoint, options: Options) -> None:
    config = checkpoint.config
    sees = [name for name in ("vision_config", "visual", "vision_tower", "mm_vision_tower") if config.get(name)]
    if sees and not options.text_only:
        raise Refused(
            f"{checkpoint.network} sees images ({sees[0]} in config.json), and only its "
            "text side would be converted: serve it with vLLM and name that server as an upstream with `images: true`; "
            "or give --text-only, which the card will say."
        )


def _refuse_experts(checkpoint: Checkpoint) -> None:
    config = checkpoint.config | (checkpoint.config.get("text_config") or {})
    counted = next((name for name in EXPERTS if isinstance(config.get(name), int) and config[name] > 1), None)
    if counted is not None:
        raise NoGraph(
            f"{checkpoint.network} is a mixture of {config[counted]} experts, which are "
            f"chosen token by token and do not become a graph: {OTHER_WAYS}."
        )


def _refuse_windowed(checkpoint: Checkpoint) -> None:
    if (model_type := checkpoint.config.get("model_type")) in WINDOWED:
        raise NoGraph(
            f"{model_type} attends in windows, whose number depends on the text, and does not become one graph: "
            f"{OTHER_WAYS}."
        )


def _refuse_gates(checkpoint: Checkpoint, tensors: Infos) -> None:
    if found := sorted(name for name in tensors if name.startswith(GATES)):
        raise Refused(
            f"{checkpoint.network} has tensors that weigh its scores ({', '.join(found[:4])}). Those of ArmoRM, QRM "
            f"and URM are --kind gated; if they are another's, {advise_code(checkpoint.config)}."
        )


def _refuse_other_class(checkpoint: Checkpoint, kind: str, task: str) -> None:
    named = checkpoint.architecture
    model_type = str(checkpoint.config.get("model_type", ""))
    if not named or not model_type:
        return
    loaded = CLASSES.get(model_type, _letters(model_type))
    if named.endswith(task) and _letters(named.removesuffix(task)) == loaded:
        if brings_code(checkpoint.config, f"AutoModel{task}"):
            raise Refused(
                f"config.json says that code of its own (`auto_map`) is {named}, which may compute something other "
                f"than the class of that name in transformers: {advise_code(checkpoint.config)}. If it does not, take "
                "`auto_map` out of config.json."
            )
        return
    known = family_of(checkpoint)
    advice = (
        f"use --kind {known.kind}"
        if known is not None
        else f"{advise_code(checkpoint.config)}. If the weights are of the plain class, say so in config.json "
        "(`architectures`)"
    )
    raise Refused(
        f"config.json names the class {named}; --kind {kind} would load the plain class of {model_type} "
        f"(…{task}), which may compute something else: {advice}."
    )


def _letters(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
