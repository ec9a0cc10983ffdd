"""Sample fields: what a sample may carry, from the one table of fields."""

import json
from typing import Any

import msgspec

from reward_gateway.sample.fields import FIELDS, Criterion, SampleItem
from reward_gateway.sample.messages import ChatMessage, MediaObject, StepItem
from reward_gateway.settings import Settings

from ..tables import describe_type, write_code, write_keys, write_phrase, write_table

_HEAD = """# Sample fields

Look up what a sample may carry: over HTTP, over gRPC, from the client, and in files that `reward-gateway score` reads.

No field is required by itself: a recipe reads what it needs, and a sample that lacks that is invalid
(`missing_field`, see [missing context](../recipes/missing-context.md)). `GET /v1/rewards/NAME` lists the `inputs` of a
recipe. An unknown key is refused with 422, so that a typo is not silent; within `features` and `metadata` any name is
allowed.

```json figure
{"samples": [%s]}
```
"""
_TEXTS = """## Limits

The exact value of a limit is accepted; one more is refused with 413 (`too_large`). An image's own bytes and pixels are
the exception: over them its sample alone is invalid.

"""
_LIMITS = (
    ("max_samples", "samples of a request"),
    ("max_text_chars", "characters of each text: a prompt, a response, a reference, a message, a step, a criterion"),
    ("max_name_chars", "characters of `id`"),
    ("max_images", "images of a sample, those of its messages included"),
    ("max_frames", "frames of a sample"),
    ("max_image_bytes", "bytes of an image or frame"),
    ("max_image_pixels", "pixels of an image or frame"),
    ("max_nesting", "levels of JSON nesting (422 beyond)"),
)
_OBJECTS = {"ChatMessage": ChatMessage, "StepItem": StepItem, "MediaObject": MediaObject, "Criterion": Criterion}
_TITLES = {
    "ChatMessage": "A message",
    "MediaObject": "An image by address or base64",
    "StepItem": "A step",
    "Criterion": "A criterion of a rubric",
}


def write_page() -> str:
    """The page: a table of the fields, one for each object within them, and the limits."""
    _, definitions = msgspec.json.schema_components((SampleItem, *_OBJECTS.values()), ref_template="#/$defs/{name}")
    schema = definitions["SampleItem"]["properties"]
    example = {row.name: row.example for row in FIELDS if row.name in ("prompt", "response", "reference", "group")}
    parts = [_HEAD % json.dumps({"id": "s1", **example}, ensure_ascii=False)]
    rows = [
        (
            write_code(row.name),
            describe_type(_without_null(schema[row.name]), _TITLES),
            write_code(json.dumps(row.example, ensure_ascii=False)) if row.example is not None else "—",
            write_phrase(row.about),
        )
        for row in FIELDS
    ]
    parts += ["## Fields\n", write_table(("field", "type", "example", "what it is"), rows)]
    for name, title in _TITLES.items():
        about = write_phrase(definitions[name].get("description", ""))
        parts += [f"## {title}\n", f"{about}\n" if about else "", write_keys(definitions[name], _TITLES)]
    limits = [
        (write_code(setting), write_code(str(Settings.model_fields[setting].default)), about)
        for setting, about in _LIMITS
    ]
    parts += [_TEXTS + write_table(("setting", "default", "what it limits"), limits)]
    return "\n".join(filter(None, parts))


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The type of a field that is given. ``features`` has lists within lists, which its row describes."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"]
    if any("additionalProperties" in kind for kind in kinds):
        return {"type": "object"}
    return {**schema, "anyOf": kinds} if kinds else {"type": "object"}
