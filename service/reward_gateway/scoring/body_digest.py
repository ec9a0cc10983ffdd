"""Digests of request bodies: an idempotency key may not be sent with another body."""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from reward_gateway.sample import Batch


def digest_batch(batch: Batch, *content: Any) -> str:
    """Digest of samples as received, before media is fetched, and of the request's options.

    What was noticed of the samples on the way (faults, flags) is no part of what was sent.
    """
    columns = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    del columns["invalid"], columns["flags"]
    return digest_body([columns, *content])


def digest_body(content: Any) -> str:
    """Digest of plain values, records, mappings and bytes; it does not depend on the order of keys."""
    try:
        text = _canonical.encode(content)
    except UnicodeEncodeError:  # a lone surrogate, which JSON may carry as an escape and UTF-8 may not
        text = repr(msgspec.to_builtins(content, order="deterministic", enc_hook=_to_plain)).encode(
            "utf-8", "surrogatepass"
        )
    return hashlib.blake2b(text, digest_size=20).hexdigest()


def _to_plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise NotImplementedError(f"no digest of {type(value).__name__}")


_canonical = msgspec.json.Encoder(order="deterministic", enc_hook=_to_plain)
