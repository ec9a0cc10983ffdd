"""Dialects: each API of a trainer or another server that the gateway speaks, from the registry of dialects.

The dialects stand above the guide, and are handed over (:mod:`..sources`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ..sources import HttpApi, NotHandedOver, read_http
from ..tables import describe_type, slug_of, write_code, write_phrase, write_table

_HEAD = """# Dialects

Find the API that your trainer already speaks: its paths, what they accept, and what the trainer receives when a sample
cannot be scored.

A trainer needs no adapter where its API is listed here: set its reward address to the gateway. The short path is the
one built into the client; the path with the dialect's prefix is unambiguous, where several clients share a short path.
Before either, `/r/NAME/` names the recipe and `/run/NAME/` the run. How to set up a trainer is in
[trainers](../../../client/adapters/README.md).

`GET /v1/dialects` lists the same. The setting `dialect_failures` overrides what a failed sample becomes: a number, or
`error`; a trainer uses such a number as if it were a score.
"""
_ABSENT = "\nThis process does not have the dialects. Ask a running gateway: `GET /v1/dialects`.\n"
_SCORES = {
    "raw": "as the recipe gives it",
    "unit": "in [0, 1]: unchanged if the recipe's range lies in it, else its sigmoid",
    "as asked": "as the recipe gives it, or in [0, 1], as the request asks",
    "both": "both as the recipe gives it and in [0, 1]",
}
_ONE = (
    "Clients send one sample per request, so a recipe that compares the samples of a prompt needs a cohort, "
    "`group: {single: raw}` or `answer: combined`."
)


def write_page() -> str:
    """The page: a table of all dialects, and a section for each."""
    try:
        api = read_http()
    except NotHandedOver:
        return _HEAD + _ABSENT
    rows = [
        (
            f"[{row['title']}](#{_anchor(row)})",
            ", ".join(row["clients"]),
            write_code(row["prefix"]) if row["prefix"] else "—",
            write_code(row["on_invalid"]),
        )
        for row in api.dialects
    ]
    failures = [(write_code(name), write_phrase(text)) for name, text in api.failures.items()]
    parts = [
        f"{_HEAD}\n",
        write_table(("API", "clients", "prefix", "sample without a score"), rows),
        "\n## Samples without a score\n\n",
        write_table(("policy", "what the client receives"), failures),
    ]
    parts += [_write_dialect(api, row) for row in api.dialects]
    return "".join(parts)


def _write_dialect(api: HttpApi, row: Mapping[str, Any]) -> str:
    facts = [
        ("key of `dialect_failures`", write_code(row["name"])),
        ("clients", ", ".join(row["clients"])),
        ("score", write_phrase(_SCORES[row["score"]])),
        ("sample without a score", f"{write_code(row['on_invalid'])}: {write_phrase(api.failures[row['on_invalid']])}"),
        ("status when overloaded", str(row["overload_status"])),
        ("longest time of an answer", f"{row['deadline_s']:g} s" if row["deadline_s"] else "`default_deadline_s`"),
    ]
    table = write_table(("path", "accepts", "what it does"), [*_describe_paths(api, row)])
    note = f"\n{_ONE}\n" if row["one_sample"] else ""
    return f"\n## {_plain(row['title'])}\n\n{write_table(('', ''), facts)}{note}\n{table}"


def _describe_paths(api: HttpApi, row: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Each path, what it accepts, and its summary; a path under the prefix stands beside the short one."""
    paths = api.document["paths"]
    for path in row["paths"]:
        for method, operation in paths.get(path, {}).items():
            summary = operation["summary"].removeprefix(f"{row['title']}: ")
            accepts = ", ".join(_list_keys(api.document, operation)) or "—"
            yield f"{method.upper()} {write_code(path)}", accepts, write_phrase(summary)


def _list_keys(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[str]:
    """The keys of a body with their types; required ones are marked. Of bodies that share a path: of all of them."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        schemas = content["schema"].get("anyOf", [content["schema"]])
        if kind != "application/json":
            yield write_code(kind)
            continue
        for schema in schemas:
            name = str(schema.get("$ref", "")).rpartition("/")[2]
            shape = document["components"]["schemas"].get(name, schema)
            if shape.get("type") == "array":
                yield f"a {describe_type(shape)}"
            for key in shape.get("properties", {}):
                yield write_code(key) + (" (required)" if key in shape.get("required", ()) else "")


def _anchor(row: Mapping[str, Any]) -> str:
    return slug_of(_plain(row["title"]))


def _plain(title: str) -> str:
    return title.replace("`", "")
