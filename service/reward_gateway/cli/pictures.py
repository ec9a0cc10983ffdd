"""Images of a row: files by their path, bytes as datasets hold them, and whatever the API itself reads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reward_gateway.errors import InvalidRequest


def read_images(items: Any, field: str, folder: Path) -> Any:
    """A row's images, ready for the client.

    Args:
        items: a list; ``{"path": FILE}`` in it is a file, beside ``folder`` unless it is absolute, and
            ``{"bytes": …}`` (as Parquet files of datasets have it) its content.

    Raises:
        InvalidRequest: a file that cannot be read.
    """
    if not isinstance(items, Sequence) or isinstance(items, str):
        return items
    return [_read_image(item, f"{field}[{k}]", folder) for k, item in enumerate(items)]


def _read_image(item: Any, param: str, folder: Path) -> Any:
    if not isinstance(item, Mapping):
        return item
    if isinstance(item.get("bytes"), bytes):
        return item["bytes"]
    if set(item) - {"bytes"} != {"path"}:
        return item
    try:
        return (folder / str(item["path"])).read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{param}: its file cannot be read ({error.strerror})", param=param) from None
