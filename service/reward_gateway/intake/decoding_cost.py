"""How long decoding a body may take, from its bytes alone; what may take long is decoded in a worker process."""

from dataclasses import dataclass

import numpy as np

from reward_gateway.operations.costs import LIMIT_US

_PIECE = 1 << 17
"""Bytes that are compared together: what is made of them stays in the processor's cache."""


@dataclass(frozen=True, slots=True)
class DecodingCost:
    """Microseconds that decoding and checking take: per byte, per value of a list or object, per list or object."""

    byte_us: float
    value_us: float
    container_us: float

    def exceeds_limit(self, body: bytes, values: int = 0) -> bool:
        """Whether the event loop should not wait for it, with so many values beside those that JSON separates."""
        us = len(body) * self.byte_us + values * self.value_us
        if us <= LIMIT_US:
            containers, separators = count_marks(body)
            us += containers * self.container_us + separators * self.value_us
        return us > LIMIT_US


def count_marks(body: bytes) -> tuple[int, int]:
    """How many lists and objects a JSON text begins, and how many commas it has, those within strings among them.

    ``bytes.count`` looks at one byte after another, which would take as long as decoding a text.
    """
    codes, containers, separators = np.frombuffer(body, np.uint8), 0, 0
    for start in range(0, len(codes), _PIECE):
        piece = codes[start : start + _PIECE]
        containers += int(np.count_nonzero((piece | 0x20) == 0x7B))  # "[" and "{" differ in this bit alone
        separators += int(np.count_nonzero(piece == 0x2C))
    return containers, separators


SHORT = 20_000
"""Bytes of a body that takes no long time to decode, whatever it holds."""

TYPED = DecodingCost(byte_us=0.003, value_us=0.1, container_us=1.0)
"""JSON whose fields are declared: samples, and the bodies of dialects."""

ITEMS = DecodingCost(byte_us=0.03, value_us=0.5, container_us=4.0)
"""JSON of any shape, which an operation's item model checks afterwards."""

MESSAGE_BYTE_US = 0.1
"""Microseconds per byte of a protobuf message of samples: a value may take a few bytes and half a microsecond."""


def is_long_message(message: bytes) -> bool:
    """Whether the event loop should not wait for a message of samples to be decoded."""
    return len(message) * MESSAGE_BYTE_US > LIMIT_US
