"""Reads the images of a row: paths of files, bytes as in Parquet datasets, and all forms that the API accepts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reward_gateway.errors import InvalidRequest


def read_images(items: Any, field: str, folder: Path) -> Any:
    """A row's images, ready for the client.

    Args:
        items: a list of images; ``{"path": FILE}`` is a file, relative to ``folder``, and ``{"bytes": …}`` (as in
            Parquet datasets) its content.

    Raises:
        InvalidRequest: a file cannot be read.
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
        raise InvalidRequest(f"{param}: the image file cannot be read ({error.strerror})", param=param) from None
