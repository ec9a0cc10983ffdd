"""The flags of samples as a response header, for APIs of other servers, which have no place for them.

``X-Reward-Flags: 0:out_of_distribution;3:truncated,empty_response``: the number of a sample in its request, from 0, and
its flags. Of a request in several parts, one recipe each, the numbers count on from part to part.
"""

from collections.abc import Mapping

from .call import PartFlags

LONGEST = 2_048
"""Characters; servers and proxies refuse headers of some 8 KB. What does not fit is counted: ``;+17`` samples more."""


def format_flags(parts: Mapping[int, PartFlags]) -> str:
    """The header's value; empty if no sample has a flag.

    Args:
        parts: number of a part -> how many samples it has, and the flags of those that have some.
    """
    entries: list[str] = []
    first = length = more = 0
    for _, (size, flags) in sorted(parts.items()):
        for row, names in sorted(flags.items()):
            if not names:
                continue
            entry = f"{first + row}:{','.join(names)}"
            length += len(entry) + 1
            if more or length > LONGEST:
                more += 1
            else:
                entries.append(entry)
        first += size
    return ";".join(entries + ([f"+{more}"] if more else []))
