"""Why an address gave no image, as the caller reads it and as it is counted."""

from typing import Literal

from ..media_faults import FaultCode, MediaFault

Outcome = Literal[
    "ok",
    "refused",
    "unresolved",
    "unreachable",
    "untrusted",
    "redirects",
    "status",
    "encoded",
    "broken",
    "too_large",
    "timeout",
    "invalid",
    "deadline",
    "cancelled",
]
"""The closed set of labels: how a fetch ended."""


class FetchFault(MediaFault):
    """An address that gave no image."""

    def __init__(self, sentence: str, *, outcome: Outcome, code: FaultCode = "invalid_media") -> None:
        super().__init__(sentence, code)
        self.outcome: Outcome = outcome


def unresolved_host() -> FetchFault:
    """The fault of an unknown host or a non-public address: one message, so that callers cannot tell them apart."""
    return FetchFault("its host has no public address, or not only public ones", outcome="unresolved")
