"""Base64 as it really comes: of either alphabet, padded or not, folded into lines, and percent-encoded in addresses."""

import binascii

_SLICE = 1 << 20
"""Letters that are decoded at a time, a multiple of 4: other threads get a turn in between."""

_ESCAPES = {"%2B": "+", "%2F": "/", "%3D": "=", "%2D": "-", "%5F": "_", "%0A": "", "%0D": "", "%20": ""}
"""What percent-encoding writes of base64; letters and digits it leaves as they are."""


def decode_base64(text: str) -> bytes:
    """The bytes of a base64 text (RFC 4648, sections 4 and 5), with or without padding.

    White space is forgiven, and letters of the alphabets that were percent-encoded are read.

    Raises:
        ValueError: anything else: other letters, both alphabets in one text, padding that is wrong or not at the end.
    """
    try:
        return _decode_strictly(text)
    except ValueError:
        return _decode_strictly(to_standard(text))


def to_standard(text: str) -> str:
    """A base64 text in the standard alphabet, padded, without white space. Raises ValueError if it mixes alphabets."""
    if "%" in text:
        for escape, letter in _ESCAPES.items():
            text = text.replace(escape, letter).replace(escape.lower(), letter)
    text = "".join(text.split())
    if "-" in text or "_" in text:
        if "+" in text or "/" in text:
            raise ValueError
        text = text.replace("-", "+").replace("_", "/")
    return text if text.endswith("=") else text + "=" * (-len(text) % 4)


def _decode_strictly(text: str) -> bytes:
    pieces = [
        binascii.a2b_base64(text[start : start + _SLICE], strict_mode=True) for start in range(0, len(text), _SLICE)
    ]
    # A padded piece may stand at the end alone.
    if any(len(piece) * 4 != _SLICE * 3 for piece in pieces[:-1]):
        raise binascii.Error
    return b"".join(pieces)
