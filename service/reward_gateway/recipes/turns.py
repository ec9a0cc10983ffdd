"""Vectors by turn: of a response of several messages, every turn of the assistant's has one entry, and nobody else's.

Numbers that come with a sample may be one per turn of the assistant's, or one per message, of which those of tools,
users and others are left out. A response that is a text or a single message has steps of its own, and is left alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reward_gateway.operations.columns import Columns
from reward_gateway.operations.outcome import invalid_field
from reward_gateway.sample import POLICY_ROLES, Invalid, Text, label_turns, own_turns, turn_text

from .fields import value_field
from .plan import Plan
from .step import Step


def find_own_turns(response: Text | None) -> list[int] | None:
    """The places of the assistant's turns among the messages of a response; None unless it has several messages."""
    if response is None or isinstance(response, str) or len(response) < 2:
        return None
    return [place for place, message in enumerate(response) if message.get("role") in POLICY_ROLES]


def turns_as_steps(response: Text | None) -> list[str] | None:
    """The texts of the assistant's turns with their calls, as a process reward model judges them; None likewise."""
    if response is None or isinstance(response, str) or len(response) < 2:
        return None
    return [turn_text(turn, calls=True) for turn in own_turns(response) if not isinstance(turn, str)]


def turns_as_shown(response: Text | None) -> list[str] | None:
    """The assistant's turns as a judge is shown them, each below what tools and users said since the last; None
    likewise."""
    places = find_own_turns(response)
    if places is None or response is None or isinstance(response, str):
        return None
    starts = [0, *(place + 1 for place in places)]
    return [label_turns(response[start : place + 1]) for start, place in zip(starts, places, strict=False)]


def is_by_turn(step: Step | None) -> bool:
    """Whether a step of credit assignment gives every step, and so every turn, its reward."""
    return step is not None and step.operation.turn_fields is not None


def find_surplus(plan: Plan, component: str) -> int | None:
    """How many entries more than turns the vectors of a component have, as the credit assignment reads them.

    None where it does not read them, or not by turn.
    """
    credit = plan.credit
    if credit is None or credit.operation.turn_fields is None:
        return None
    fields = credit.operation.turn_fields
    for field, binding in credit.bindings.items():
        if binding.kind == "component" and binding.value == component:
            return fields.get(field)
    return fields.get(component, fields.get(value_field(credit.operation) or ""))


def align_vectors(
    vectors: Sequence[Any], responses: Sequence[Text | None], surplus: int, name: str
) -> tuple[list[Any], dict[int, Invalid]]:
    """Vectors with one entry per turn of the assistant's.

    Args:
        vectors: [n] lists, mappings of lists, or None.
        responses: [n] the responses that they are about.
        surplus: how many entries more than turns there are: -1 where the last turn has none.
        name: of the field that they stand in, for messages.

    Returns:
        [n] the vectors, and why some cannot be aligned.
    """
    aligned, invalid = list(vectors), dict[int, Invalid]()
    for i, vector in enumerate(vectors):
        places = find_own_turns(responses[i])
        if places is None or vector is None:
            continue
        response = responses[i]
        messages = len(response or ())
        pieces = vector if isinstance(vector, Mapping) else {"": vector}
        kept = {key: _align(piece, places, messages, surplus) for key, piece in pieces.items()}
        wrong = next((len(pieces[key]) for key, piece in kept.items() if piece is None), None)
        if wrong is not None:
            invalid[i] = explain_number(wrong, len(places) + surplus, len(places), name)
        else:
            aligned[i] = kept if isinstance(vector, Mapping) else kept[""]
    return aligned, invalid


def _align(vector: Any, places: list[int], messages: int, surplus: int) -> Any:
    """The entries of the assistant's turns; None if there are as many as neither turns nor messages ask for."""
    if len(vector) == len(places) + surplus:
        return vector
    by_message = {messages + surplus, *([messages] if surplus < 0 else ())}
    if not places or len(vector) == len(places) or len(vector) not in by_message:
        return None
    own = places[:surplus] if surplus < 0 else places
    return [vector[place] for place in own] + [vector[messages + k] for k in range(surplus)]


def explain_number(given: int, wanted: int, turns: int, name: str) -> Invalid:
    """The reason for a vector of the wrong length."""
    if wanted < 0:
        return invalid_field(
            f"{name}: no turn of the response is the assistant's, and only those are rewarded", "response"
        )
    return invalid_field(
        f"{name}: {given} entries for a response of {turns} assistant turns: give {wanted}, for those turns alone, or "
        "one for every message",
        name,
    )


def align_columns(
    step: Step, columns: Columns, responses: Sequence[Text | None], names: Mapping[str, str]
) -> tuple[Columns, dict[int, Invalid]]:
    """The columns of a credit assignment with one entry per turn of the assistant's, and the rows that have another
    number. ``names``: field -> what it is called in messages."""
    invalid: dict[int, Invalid] = {}
    for field, surplus in (step.operation.turn_fields or {}).items():
        if columns.given(field) is None:
            continue
        name = names.get(field, field)
        aligned, faults = align_vectors(columns.objects(field), responses, surplus, name)
        columns = columns.replaced(field, aligned)
        invalid = {**faults, **invalid}
    return columns, invalid


def find_wrong_numbers(rewards: Sequence[Any], responses: Sequence[Text | None]) -> dict[int, Invalid]:
    """The rows whose vector has not one entry per turn of the assistant's, each with the reason."""
    wrong = {}
    for i, vector in enumerate(rewards):
        places = find_own_turns(responses[i])
        if vector is not None and places is not None and len(vector) != len(places):
            wrong[i] = invalid_field(
                f"the credit assignment has {len(vector)} rewards for a response of {len(places)} assistant turns: "
                "give it one entry for each of those turns"
            )
    return wrong
