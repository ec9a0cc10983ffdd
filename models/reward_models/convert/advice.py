"""What works for a checkpoint that does not become a graph. Every flag that is named here is tried in a test."""

from collections.abc import Mapping
from typing import Any

ENGINE = "run it by torch (--engine torch)"
SERVED = "serve it with vLLM, SGLang or TEI and name that server as an upstream"

OTHER_WAYS = f"{ENGINE}, or {SERVED}"
"""For networks over texts that transformers loads, but that do not become a graph."""

IMAGE_WAYS = (
    "put a server of your own over it, and name that as an upstream (`protocol: vllm_classify`, `images: true`)"
)
"""For networks over images that are not converted: no engine runs those."""

OWN_CLASSES = ("AutoModelForSequenceClassification", "AutoModel")
"""What ``auto_map`` in config.json may say of the code that computes scores, the best first."""


def find_code(config: Mapping[str, Any]) -> str:
    """The class of transformers' ``Auto…`` by which a checkpoint's own code is loaded; empty if it brings none."""
    return next((name for name in OWN_CLASSES if brings_code(config, name)), "")


def brings_code(config: Mapping[str, Any], auto: str) -> bool:
    """Whether a checkpoint brings code of its own for one of transformers' ``Auto…`` classes."""
    mapped = config.get("auto_map")
    return isinstance(mapped, Mapping) and auto in mapped


def advise_code(config: Mapping[str, Any]) -> str:
    """For networks over texts whose class is not one of transformers, or has tensors that its class does not take."""
    if find_code(config):
        return (
            "run its own code, if you trust it (--kind sequence --engine torch --trust-remote-code), or serve it with "
            "a server that knows its class (vLLM, SGLang) and name that server as an upstream"
        )
    return "serve it with a server that knows its class (vLLM, SGLang) and name that server as an upstream"
