"""Numbers and lengths as messages have them on the wire."""

VARINT, DOUBLE, BYTES = 0, 1, 2
"""Wire types."""

_SMALL = tuple(bytes((value,)) for value in range(0x80))


def varint(value: int) -> bytes:
    """A number that is not negative."""
    if value < 0x80:
        return _SMALL[value]
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def read_varint(message: bytes, at: int) -> tuple[int, int]:
    """A number and the place after it. Raises IndexError if it does not end."""
    value = shift = 0
    while message[at] & 0x80:
        value |= (message[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if shift > 63:
            raise IndexError
    return value | message[at] << shift, at + 1


def sized(content: bytes) -> bytes:
    """Bytes after their number."""
    return varint(len(content)) + content


def tag(kind: type, field: str, wire_type: int) -> bytes:
    """What stands before a field of a message."""
    number: int = kind.DESCRIPTOR.fields_by_name[field].number  # type: ignore[attr-defined]
    return varint(number << 3 | wire_type)
