"""A recipe file in the body of a request."""

from typing import Any

from reward_gateway.errors import MalformedBody

from .decode import decode_as


def read_recipe_file(max_nesting: int | None, body: bytes) -> str:
    """The text of a recipe file; JSON if its nesting has a limit. Raises MalformedBody or InvalidRequest."""
    if max_nesting is not None:
        decode_as(Any, max_nesting, body, check=True)
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise MalformedBody("the recipe file is not valid UTF-8") from None
