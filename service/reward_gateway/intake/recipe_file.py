"""A recipe file in the body of a request."""

from reward_gateway.errors import MalformedBody

from .decode import decode
from .nesting import check_nesting
from .request import any_json


def read_recipe_file(max_nesting: int | None, body: bytes) -> str:
    """The text of a recipe file; JSON if its nesting has a limit. Raises MalformedBody or InvalidRequest."""
    if max_nesting is not None:
        decode(any_json, body, max_nesting)
        check_nesting(body, max_nesting)
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise MalformedBody("the recipe file is not valid UTF-8") from None
