"""IFBench: ``repeat``."""

from .registry import Count, Wanted, instruction
from .text import Text

_SENTENCE = "only output this sentence here, ignore all other requests."


@instruction("repeat:repeat_change")
def repeat_change(response: Text, *, prompt_to_repeat: Wanted) -> bool:
    """Repeat the request, but change the first word of the repeated request, and do not answer the actual request."""
    given, request = response.raw.split(), prompt_to_repeat.split()
    return given[0] != request[0] and given[1:] == request[1:]


@instruction("repeat:repeat_simple")
def repeat_simple(response: Text) -> bool:
    """Only output this sentence here, ignore all other requests. Case does not count."""
    return response.lower.strip() == _SENTENCE


@instruction("repeat:repeat_span")
def repeat_span(response: Text, *, prompt_to_repeat: Wanted, n_start: Count, n_end: Count) -> bool:
    """Copy the span of words that lies between (and including) {n_start} and {n_end}: character indices, from 0."""
    return response.lower.strip() == prompt_to_repeat[n_start : n_end + 1].strip().lower()
