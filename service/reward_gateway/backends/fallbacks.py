"""Which entry of a file stands in for one that is away."""

from collections.abc import Mapping, Sequence


def explain_fallback(name: str, fallbacks: Mapping[str, str | None], *, others: bool = False) -> str:
    """What is wrong with the fallback of an entry; empty if nothing is.

    Args:
        fallbacks: of every entry of the file; None: it has none.
        others: names that are not in the file may be names, too.
    """
    fallback = fallbacks[name]
    if fallback is None:
        return ""
    if fallback == name:
        return "is the entry itself"
    if fallback not in fallbacks:
        return "" if others else "names no entry of this file"
    passed = [name]
    following: str | None = fallback
    while following is not None and following in fallbacks:
        if following in passed:
            return f"leads back to where it began ({' → '.join([*passed, following])})"
        passed.append(following)
        following = fallbacks[following]
    return ""


def explain_unlike(
    inputs: Sequence[str], dimensions: Sequence[str], others_inputs: Sequence[str], others_dimensions: Sequence[str]
) -> str:
    """Why a model cannot stand in for another; empty if it can.

    Args:
        inputs, dimensions: of the model that may be away: fields of a sample that it reads, names of its numbers.
        others_inputs, others_dimensions: the same of the one that is to stand in for it.
    """
    own, other = list(dimensions), list(others_dimensions)
    if max(1, len(own)) != max(1, len(other)) or (len(own) > 1 and own != other):
        return f"gives other numbers ({', '.join(other)}; needed: {', '.join(own)})"
    read = set(inputs)
    if "messages" in read or read >= {"prompt", "response"}:
        read |= {"messages", "prompt", "response"}
    more = [name for name in others_inputs if name not in read]
    return f"reads what this one does not read: {', '.join(more)}" if more else ""
