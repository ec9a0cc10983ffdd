"""``did you mean``: the names nearest to one that is not there."""

import difflib
from collections.abc import Collection

_LISTED = 12


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The end of a sentence that refuses a name: what was probably meant, or what there is.

    Returns:
        ``; did you mean 'a'?`` where a name is near, else ``; there are: a, b`` where these are few, else how many.
    """
    folded = {other.casefold(): other for other in known}
    for near in difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6):
        return f"; did you mean {folded[near]!r}?"
    if len(known) > _LISTED:
        return f"; there are {len(known)} others"
    return f"; there are: {', '.join(sorted(known)) or 'none'}"
