"""Which weights an upstream answers with: what it tells of itself, and its scores of a few fixed texts.

A server that is started with other weights under the same name tells nothing of it; its scores of the fixed texts do.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reward_gateway.backends.encoded_rows import EncodeRows
from reward_gateway.sample import Batch, FloatArray, Invalid, Media

from .activation import explain_activation
from .config import ACTIVATED, Activation, UpstreamConfig
from .failures import Refused
from .protocols import PROTOCOLS, UpstreamProtocol
from .replica import Replica
from .rows import Question, QuestionRows

CLOSE = 5e-3
"""Relative difference up to which two scores of one text are those of the same weights: reduced precision rounds
differently from one call to the next. Scores that differ by more have different digits in a version."""

PROBE_PAIRS = (
    ("What is 2 + 2?", "2 + 2 is 4."),
    ("Name the capital of France.", "I would rather talk about the weather in Lima."),
    ("Write a haiku about rain.", "No."),
    ("Is the sea salty?", "Yes: rivers carry salts to it, and they stay when the water evaporates."),
)
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100"
    "c9fe92ef0000000049454e44ae426082"
)

_SCORED_BY = {
    *("protocol", "model", "input", "special_tokens", "dimensions", "activation", "images", "vector", "step_mark"),
    *("truncate", "max_tokens", "words", "tensors", "http"),
}
"""Everything of an entry that scores depend on."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a replica is.

    Attributes:
        name: its own words on its model and version.
        scores: [m, K] of the fixed texts; None: it reads fields that they do not have.
        fault: why its scores are none that are wanted; empty if they are.
    """

    name: str
    scores: FloatArray | None
    fault: str = ""

    def matches(self, other: "Identity") -> bool:
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
    mark = config.step_mark or ""
    n = len(PROBE_PAIRS)
    batch = Batch([str(k) for k in range(n)], [p for p, _ in PROBE_PAIRS], [f"{r}{mark}" for _, r in PROBE_PAIRS])
    if config.images:
        batch.images = [[Media(_PIXEL)] for _ in range(n)]
    return encode(config, batch, range(n)).rows.questions


async def ask_identity(
    replica: Replica, protocol: UpstreamProtocol, questions: Sequence[Question], *, thorough: bool
) -> Identity:
    """What a replica is.

    Args:
        thorough: find out what activation it applies, too.

    Raises:
        ReplicaFailed: it does not answer.
    """
    name = ""
    try:
        name = await protocol.read_identity(replica)
        if not questions:
            return Identity(name, None)
        scores, reason = await _ask_scores(replica, protocol, questions)
        fault = await _explain_activation(replica, protocol, questions, scores) if thorough else ""
    except Refused as refusal:
        return Identity(name, None, refusal.reason.message.rstrip("."))
    if not np.isfinite(scores).any():
        why = reason.message.rstrip(".") if reason is not None else "it gave no finite number"
        fault = fault or f"{replica.name} has a score for none of the fixed texts: {why}"
    return Identity(name, scores, fault)


async def _explain_activation(
    replica: Replica, protocol: UpstreamProtocol, questions: Sequence[Question], scores: FloatArray
) -> str:
    """Why the server's activation is not the one that is wanted; empty if it is, or cannot be asked for."""
    config = protocol.config
    wanted: Activation = config.activation
    if config.protocol not in ACTIVATED or wanted == "server" or config.vector:
        return ""
    opposite: Activation = "sigmoid" if wanted == "none" else "none"
    other_way = PROTOCOLS[config.protocol](config.model_copy(update={"activation": opposite}))
    others, _ = await _ask_scores(replica, other_way, questions)
    raw, activated = (scores, others) if wanted == "none" else (others, scores)
    fault = explain_activation(wanted, raw, activated)
    return f"{replica.name} cannot be used: {fault}" if fault else ""


async def _ask_scores(
    replica: Replica, protocol: UpstreamProtocol, questions: Sequence[Question]
) -> tuple[FloatArray, Invalid | None]:
    """[m, K] scores, and why the first text without one has none."""
    size = min(len(questions), protocol.config.limits.batch) if protocol.batches else 1
    parts = [questions[start : start + size] for start in range(0, len(questions), size)]
    timeout_s = protocol.config.limits.timeout_s
    answers = await asyncio.gather(*(protocol.ask(replica, part, timeout_s) for part in parts))
    reasons = (reason for answer in answers for reason in answer.invalid.values())
    return np.concatenate([answer.values for answer in answers]), next(reasons, None)


def name_version(config: UpstreamConfig, identity: Identity) -> str:
    """The version in answers and cache keys: of the weights, and of everything in the entry that scores depend on."""
    weights = config.version
    if not weights:
        scores = () if identity.scores is None else identity.scores.ravel()
        weights = f"{identity.name} {' '.join(f'{score:.4g}' for score in scores)}"
    entry = config.model_dump_json(include=_SCORED_BY)
    digest = hashlib.blake2b(f"{weights}\0{entry}\0{config.file_digest}".encode(), digest_size=6).hexdigest()
    return f"{config.version}-{digest}" if config.version else digest
