"""How the weights of a checkpoint are loaded: as an export needs them, or as an engine runs them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WeightLoading:
    """Choices of one loading; the defaults are those of an export.

    Attributes:
        dtype: ``float32``, ``float16`` or ``bfloat16``.
        attention: implementation, as ``transformers`` names it; empty: its own choice (SDPA where there is one).
        device_map: empty: on the CPU; ``auto``: over all GPUs (needs ``accelerate``).
        trust_code: run Python code of the checkpoint.
    """

    dtype: str = "float32"
    attention: str = "eager"
    device_map: str = ""
    trust_code: bool = False


FOR_EXPORT = WeightLoading()
