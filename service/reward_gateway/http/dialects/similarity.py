"""The metrics of OpenAI's ``text_similarity`` grader, each in [0, 1].

METEOR compares words and their stems; its third stage, synonyms, needs WordNet, which is not included. ``cosine``
needs an embedding model and is refused.
"""

from functools import partial
from typing import Any, Literal

from reward_gateway.errors import InvalidRequest
from reward_gateway.gateway import Gateway
from reward_gateway.scoring.request_context import RequestContext

from .text_metrics import compute_metric

Metric = Literal[
    "cosine",
    "fuzzy_match",
    "bleu",
    "gleu",
    "meteor",
    "rouge_1",
    "rouge_2",
    "rouge_3",
    "rouge_4",
    "rouge_5",
    "rouge_l",
]

LONGEST = 20_000
"""Maximum characters of a text: the time of some metrics grows with the product of both lengths."""

_OPERATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "bleu": ("bleu", {}),
    "rouge_1": ("rouge", {"kind": "rouge1"}),
    "rouge_2": ("rouge", {"kind": "rouge2"}),
    "rouge_l": ("rouge", {"kind": "rougeL"}),
}


async def measure_similarity(
    gateway: Gateway, metric: Metric, text: str, reference: str, param: str, deadline: float | None = None
) -> float:
    """The similarity of two texts in [0, 1]. Raises InvalidRequest for a text that is too long, or for ``cosine``."""
    if metric == "cosine":
        raise InvalidRequest(f"{param}: cosine needs an embedding model and is not supported", param=param)
    if max(len(text), len(reference)) > LONGEST:
        raise InvalidRequest(f"{param}: text over the limit of {LONGEST:,} characters", param=param)
    if metric in _OPERATIONS:
        name, params = _OPERATIONS[metric]
        items = [{"response": text, "reference": reference}]
        (result,) = await gateway.operations.apply_items("score", name, items, params, deadline)
        return float(result["reward"])
    work = partial(compute_metric, metric, text, reference)
    return float(await gateway.runtime.compute(work, b"", RequestContext(deadline)))
