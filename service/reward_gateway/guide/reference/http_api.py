"""HTTP API: every path with its methods, the right it needs, and what it does, from the OpenAPI document.

The API stands above the guide, and hands its description over (:mod:`..sources`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ..sources import NotHandedOver, read_http
from ..tables import write_code, write_phrase, write_table

_HEAD = """# HTTP API

Find a path: its methods, the right that an API key needs for it, and what it does. Parameters, bodies, answers and
examples are on [the API page](/docs) of a running gateway, where requests can also be tried, and in
`GET /openapi.json`.

Before any path, `/r/NAME/` names the recipe and `/run/NAME/` the training run: `/r/helpful/v1/score`,
`/run/grpo-7b/get_reward`. Errors are described in [errors](errors.md), the fields of a sample in
[sample fields](sample-fields.md), API keys in [API keys file](api-keys-file.md).

```bash run
curl -s http://127.0.0.1:8080/v1/rewards
```

| right | what it allows |
|---|---|
| none | no key is needed: probes and scrapes |
| `score` | request rewards, read what is served |
| `state` | read and change named state |
| `admin` | everything, for all callers |
"""
_ABSENT = "\nThis process does not have the HTTP API. Open `/docs` of a running gateway.\n"
_RIGHTS = "x-required-rights"
_SECTIONS = (
    ("## The gateway's own API", lambda path: path.startswith(("/v1/", "/pages")) or path == "/"),
    ("## Health and metrics", lambda path: path in ("/livez", "/readyz", "/health", "/metrics")),
    ("## Open Inference Protocol", lambda path: path == "/v2" or path.startswith("/v2/")),
)


def write_page() -> str:
    """The page: our own API, health, the Open Inference Protocol; then the paths of other servers' APIs."""
    try:
        api = read_http()
    except NotHandedOver:
        return _HEAD + _ABSENT
    spoken = {path for row in api.dialects for path in row["paths"]}
    rows = list(_list_operations(api.document))
    parts = [_HEAD]
    left = rows
    for title, belongs in _SECTIONS:
        chosen = [row for row in left if belongs(row[0]) and row[0] not in spoken - {"/"}]
        left = [row for row in left if row not in chosen]
        parts.append(f"\n{title}\n\n{_write_rows(chosen)}")
    parts.append(
        "\n## Other servers' APIs\n\nPaths that trainers and clients of other servers call; [dialects](dialects.md) "
        f"describes each API.\n\n{_write_rows(left)}"
    )
    return "".join(parts)


def _list_operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Path, method, rights and summary of every operation, by path."""
    for path, item in sorted(document["paths"].items()):
        for method, operation in item.items():
            yield (
                path,
                method.upper(),
                " and ".join(map(write_code, operation[_RIGHTS])) or "none",
                operation["summary"],
            )


def _write_rows(rows: list[tuple[str, str, str, str]]) -> str:
    return write_table(
        ("path", "method", "rights", "what it does"),
        [(write_code(path), method, rights, write_phrase(summary)) for path, method, rights, summary in rows],
    )
