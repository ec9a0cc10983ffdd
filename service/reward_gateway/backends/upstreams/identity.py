"""Which weights an upstream answers with: what it tells of itself, and what it says of a few fixed texts.

A server that is started with other weights under the same name tells nothing of it; its scores of the fixed texts do.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reward_gateway.backends.encoded_rows import EncodeRows
from reward_gateway.sample import Batch, FloatArray, Media

from .config import UpstreamConfig
from .failures import Refused
from .protocols import UpstreamProtocol
from .replica import Replica
from .rows import Question, QuestionRows

CLOSE = 5e-3
"""Relative difference up to which two scores of one text are those of the same weights: reduced precision rounds
differently from one call to the next."""

PROBE_PAIRS = (
    ("What is 2 + 2?", "2 + 2 is 4."),
    ("Name the capital of France.", "I would rather talk about the weather in Lima."),
)
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100"
    "c9fe92ef0000000049454e44ae426082"
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a replica told.

    Attributes:
        name: its own words on its model and version.
        scores: [m, K] of the fixed texts; None: it refuses them.
    """

    name: str
    scores: FloatArray | None

    def matches(self, other: "Told") -> bool:
        """Whether both are the same weights."""
        if self.name != other.name or (self.scores is None) != (other.scores is None):
            return False
        if self.scores is None or other.scores is None:
            return True
        return self.scores.shape == other.scores.shape and bool(
            np.allclose(self.scores, other.scores, rtol=CLOSE, atol=CLOSE, equal_nan=True)
        )


def probe_questions(encode: EncodeRows[UpstreamConfig, QuestionRows], config: UpstreamConfig) -> list[Question]:
    """The fixed texts as questions of an upstream; none where it reads fields that they do not have."""
    n = len(PROBE_PAIRS)
    batch = Batch([str(k) for k in range(n)], [p for p, _ in PROBE_PAIRS], [r for _, r in PROBE_PAIRS])
    if config.images:
        batch.images = [[Media(_PIXEL)] for _ in range(n)]
    return encode(config, batch, range(n)).rows.questions


async def ask_identity(replica: Replica, protocol: UpstreamProtocol, questions: Sequence[Question]) -> Told:
    """What a replica tells. Raises ReplicaFailed if it does not answer."""
    name = await protocol.read_identity(replica)
    timeout_s = protocol.config.limits.timeout_s
    scores: list[FloatArray] = []
    try:
        for question in questions:
            scores.append((await protocol.ask(replica, [question], timeout_s)).values[0])
    except Refused:
        return Told(name, None)
    return Told(name, np.array(scores) if scores else None)


def name_version(config: UpstreamConfig, told: Told) -> str:
    """The version in answers and cache keys: of the weights, and of everything in the entry that scores depend on."""
    if config.version:
        weights = config.version
    else:
        digits = "" if told.scores is None else " ".join(f"{score:.2g}" for score in told.scores.ravel())
        weights = f"{told.name} {digits}"
    template = config.template.read_bytes() if config.template else b""
    shaping = config.model_dump_json(
        include={
            "protocol",
            "model",
            "input",
            "special_tokens",
            "dimensions",
            "activation",
            "images",
            "vector",
            "step_mark",
            "truncate",
            "max_tokens",
            "words",
            "tensors",
            "http",
        }
    )
    digest = hashlib.blake2b(f"{weights}\0{shaping}\0".encode() + template, digest_size=6).hexdigest()
    return f"{config.version}-{digest}" if config.version else digest
