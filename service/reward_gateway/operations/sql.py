"""SQL as text: its word bigrams, the tables and columns it names, and whether its order of rows matters."""

import re
from itertools import pairwise

_TOKEN = re.compile(
    r"""'(?:[^']|'')*'            # a literal
    | --[^\n]* | /\*.*?\*/        # a comment
    | "(?P<quoted>[^"]+)" | `(?P<ticked>[^`]+)` | \[(?P<boxed>[^\]]+)\]
    | (?P<word>[^\W\d]\w*)
    | \d+(?:\.\d+)?
    | (?P<mark>\S)""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = """select from where and or not in is null as on join inner left right full outer cross natural using group by
having order asc desc limit offset union all intersect except distinct case when then else end between like glob
exists cast with recursive values insert into update set delete create table view drop over partition rows range
preceding following unbounded current row nulls first last collate escape true false integer int text real numeric
varchar char date time timestamp interval ilike similar to fetch next only for if lateral any some"""
_KEYWORDS = frozenset(_WORDS.split())
_ORDER_BY = re.compile(r"order\s+by", re.IGNORECASE)


def bigrams(text: str) -> set[tuple[str, str]]:
    """The neighbouring pairs of what whitespace separates."""
    words = text.split()
    return set(pairwise(words))


def jaccard(a: set[object], b: set[object]) -> float:
    """|a ∩ b| / |a ∪ b|; 1 where both are empty."""
    union = a | b
    return len(a & b) / len(union) if union else 1.0


def schema_items(query: str) -> set[str]:
    """Names of tables and columns in a query, in lower case: identifiers that are no keyword, function or alias."""
    words = [
        (match.group("word") or match.group("quoted") or match.group("ticked") or match.group("boxed"), match)
        for match in _TOKEN.finditer(query)
        if match.lastgroup is not None
    ]
    names: set[str] = set()
    aliases: set[str] = set()
    for place, (name, match) in enumerate(words):
        if name is None:
            continue
        low = name.lower()
        bare = match.group("word") is not None
        following = words[place + 1][1].group("mark") if place + 1 < len(words) else None
        if bare and (low in _KEYWORDS or following == "("):
            continue
        if place and _is_alias(words[place - 1]):
            aliases.add(low)
        else:
            names.add(low)
    return names - aliases


def _is_alias(before: tuple[str | None, "re.Match[str]"]) -> bool:
    """Whether a name right after this token is an alias: after AS, another name, or a closing bracket."""
    name, match = before
    if name is None:
        return match.group("mark") == ")"
    return name.lower() == "as" or match.group("word") is None or name.lower() not in _KEYWORDS | {"as"}


def is_ordered(query: str) -> bool:
    """Whether the query itself, not one within it, says ORDER BY."""
    plain = re.sub(r"'(?:[^']|'')*'", "''", query)
    depth, start = 0, 0
    for place, character in enumerate(plain):
        if character == "(":
            if depth == 0 and _ORDER_BY.search(plain[start:place]):
                return True
            depth += 1
        elif character == ")":
            depth = max(depth - 1, 0)
            start = place + 1
    return depth == 0 and _ORDER_BY.search(plain[start:]) is not None
