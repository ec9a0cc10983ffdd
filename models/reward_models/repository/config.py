"""The part of ``config.pbtxt`` that repeats the card: parameters that the gateway reads over the wire.

``config.pbtxt`` is committed in full, so that any Triton can load the repository. The lines below a marker are
written from the card by ``python -m reward_models.build --stamp`` and checked in CI.
"""

import json
from pathlib import Path

from reward_models.repository.card import CONFIG, Card

MARKER = "# Below: written from card.yaml by `python -m reward_models.build --stamp`. Do not edit."


def card_parameters(card: Card) -> dict[str, str]:
    """The parameters of a model: its inputs, dimensions, flags, content version and card (as JSON)."""
    shown = {key: value for key, value in card.content.items() if key != "files"}
    shown["hashes"] = {file.name: file.sha256 for file in card.files}
    return {
        "inputs": ",".join(card.content["inputs"]),
        "dimensions": ",".join(card.dimensions),
        "flags": ",".join(card.content["flags"]),
        "content_version": card.version,
        "card": json.dumps(shown, ensure_ascii=False),
    }


def format_parameters(card: Card, suffix: str = "") -> str:
    """A card as parameters in protobuf's text format.

    ``suffix``: appended to the keys of a later version, ``.2`` for version 2; parameters that all versions share are
    then left out.
    """
    shared = ("inputs", "dimensions", "flags") if suffix else ()
    lines = []
    for key, value in card_parameters(card).items():
        if key not in shared:
            # Protobuf's text format has JSON's escapes for what json.dumps escapes here: quote, backslash, \n, \t.
            quoted = json.dumps(value, ensure_ascii=False)
            lines += ["parameters {", f'  key: "{key}{suffix}"', f"  value: {{ string_value: {quoted} }}", "}"]
    return "\n".join(lines)


def format_stamp(card: Card) -> str:
    """The lines below the marker."""
    return f"{MARKER}\n{format_parameters(card)}\n"


def is_stamped(folder: Path, card: Card) -> bool:
    """True if the lines below the marker match the card."""
    text = (folder / CONFIG).read_text("utf-8")
    return text.partition(MARKER)[1:] == format_stamp(card).partition(MARKER)[1:]


def stamp_config(folder: Path, card: Card) -> None:
    """Write the lines below the marker; those above it are unchanged."""
    path = folder / CONFIG
    head = path.read_text("utf-8").partition(MARKER)[0]
    path.write_text(head.rstrip("\n") + "\n\n" + format_stamp(card), "utf-8")
