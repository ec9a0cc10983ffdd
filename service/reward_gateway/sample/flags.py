"""The flags of samples: a closed set, beside the guards' names, in answers and as the label of a metric.

APIs of other servers have no place for them. There they are one short text (a header, a parameter), for example
``0:out_of_distribution;3:truncated,empty_response``: the number of a sample in its request, from 0, and its flags.
"""

from collections.abc import Mapping, Sequence

MESSAGE_PARTS_IGNORED = "message_parts_ignored"
"""A sample whose messages say something that nothing reads."""

POSITION_DISAGREEMENT = "position_disagreement"
"""Two responses between which a judge chose by their order; the comparison counts as a tie."""

JUDGE_INJECTION = "judge_injection"
"""A text that holds a delimiter of the judge's question, as if it ended its own section."""

TIMED_OUT = "timed_out"
"""A sample whose reward has a component's ``otherwise``, since scoring it took longer than the recipe allows."""

FALLBACK = "fallback"
"""A sample that the ``fallback`` of a judge or an upstream has scored, as that one is away."""

FLAGS = (
    TIMED_OUT,
    FALLBACK,
    "truncated",
    "media_ignored",
    MESSAGE_PARTS_IGNORED,
    "out_of_distribution",
    "cohort_incomplete",
    JUDGE_INJECTION,
    POSITION_DISAGREEMENT,
)

MEANINGS: Mapping[str, str] = {
    TIMED_OUT: "A component took longer than its `timeout_s`; its `otherwise` stands in the reward.",
    FALLBACK: "The `fallback` of a judge or an upstream scored the sample, as that one is away.",
    "truncated": "A text exceeds the model's limit and was cut.",
    "media_ignored": "The sample has images or frames that no model or operation of the recipe reads.",
    MESSAGE_PARTS_IGNORED: "The messages have parts that nothing reads, such as audio or a file.",
    "out_of_distribution": "The sample is unlike what the model was trained on, by the model's own measure; its score "
    "means less.",
    "cohort_incomplete": "The recipe compares a prompt's samples across requests, and some did not come in time.",
    JUDGE_INJECTION: "The text holds a delimiter of the judge's question, as if it ended its own section.",
    POSITION_DISAGREEMENT: "A judge chose between two responses by their order; the comparison counts as a tie.",
    "state_reset": "The store has lost the recipe's state, which begins anew (`on_reset: restart`).",
    "prompt_truncated": "The trainer has cut the prompt on the left in the text it sent; the response is whole.",
    "plain_text": "The text had no chat marks; it was taken as the response to an empty prompt.",
    "template_marks": "A turn of a chat template begins or ends within the response.",
}
"""What each flag means, beside the guards' flags, whose meaning is that of the guard."""

PartFlags = tuple[int, Mapping[int, Sequence[str]]]
"""How many samples a part of a request has, and the flags of each that has some."""

LONGEST = 2_048
"""Characters of the text; servers and proxies refuse headers of some 8 KB. What does not fit is counted: ``;+17``."""


def format_flags(parts: Mapping[int, PartFlags]) -> str:
    """The flags of a request's samples as one text; empty if no sample has any.

    Args:
        parts: number of a part -> how many samples it has, and the flags of those that have some. The numbers of
            samples count on from part to part, one recipe each.
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
