"""``did you mean``: known names that are similar to an unknown one."""

import difflib
from collections.abc import Collection

_LISTED = 12


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The end of an error message about an unknown name: a similar name, or the known names.

    Returns:
        ``; did you mean 'a'?`` if a name is similar, else ``; there are: a, b`` if they are few, else how many there
        are.
    """
    folded = {other.casefold(): other for other in known}
    for near in difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6):
        return f"; did you mean {folded[near]!r}?"
    if len(known) > _LISTED:
        return f"; there are {len(known)} others"
    return f"; there are: {', '.join(sorted(known)) or 'none'}"
