"""What a row says of all its samples: the ground truth, the rubric, images and features, by the API's names."""

from typing import Any

from reward_gateway.sample.fields import FIELDS

from .values import Row

_SHARED = {field.name: field.form for field in FIELDS if field.form in ("answer", "media", "numbers", "objects")}


def read_fields(row: Row) -> dict[str, Any]:
    """The fields of a row that each of its samples gets. A text, as in a CSV file, is a ground truth only."""
    return {
        name: row[name]
        for name, form in _SHARED.items()
        if row.get(name) is not None and (form == "answer" or not isinstance(row[name], str))
    }
