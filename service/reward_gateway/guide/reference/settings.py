"""Settings: flags of ``serve``, environment variables, defaults, ranges and units."""

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo

from reward_gateway.settings import Settings, describe_default, flag_of, group_settings, variable_of

from ..tables import describe_limits, describe_type, write_code, write_phrase, write_table

_HEAD = """# Settings

Look up a setting here: its flag, its environment variable, its default, and the values that it takes. Which ones to set
is in [settings, keys and limits](../operate/keys-and-limits.md).

Every setting is a flag of `reward-gateway serve` and an environment variable: `--max-samples 1024` and
`REWARD_GATEWAY_MAX_SAMPLES=1024` are the same; a flag overrides the variable. `reward-gateway doctor` takes the same
flags and checks what `serve` would start with. Limits are inclusive. Paths among the defaults are below the folder of
the installation. A list is written with commas (`a,b`), a mapping as JSON.

```bash elsewhere
reward-gateway serve --http-port 9090 --rewards-file rewards.yaml
reward-gateway doctor --http-port 9090 --rewards-file rewards.yaml
```
"""
_UNITS = {"_ms": "milliseconds", "_s": "seconds", "_chars": "characters", "_pixels": "pixels", "_bytes": "bytes"}
_FURTHER_UNITS = {
    "compute_memory": "bytes",
    "gpu_memory": "bytes",
    "max_body_bytes_in_flight": "bytes",
    "max_job_body": "bytes",
    "min_body_rate": "bytes per second",
    "sandbox_memory": "bytes",
}
_SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def write_page() -> str:
    """The page, with a table for each group of ``serve --help``."""
    schema = Settings.model_json_schema()
    parts = [_HEAD]
    for title, settings in group_settings().items():
        rows = [_write_row(name, field, schema["properties"][name]) for name, field in settings.items()]
        parts.append(f"## {title}\n\n" + write_table(("flag and variable", "default", "values", "what it does"), rows))
    return "\n".join(parts)


def unit_of(setting: str) -> str:
    """The unit of a setting's number; empty if it counts things, or is no number."""
    if setting in _FURTHER_UNITS:
        return _FURTHER_UNITS[setting]
    return next((unit for suffix, unit in _UNITS.items() if setting.endswith(suffix)), "")


def _write_row(name: str, field: FieldInfo, schema: Mapping[str, Any]) -> tuple[str, ...]:
    flag = flag_of(name)
    flags = f"{write_code(flag)} {write_code('--no-' + flag[2:])}" if field.annotation is bool else write_code(flag)
    unit = unit_of(name)
    values = _describe_values(schema)
    if field.annotation is bool:
        values = "on or off"
    elif limits := describe_limits(schema):
        values += f", {limits}"
    return (
        f"{flags} {write_code(variable_of(name))}",
        _write_default(field, unit),
        f"{values}, in {unit}" if unit else values,
        write_phrase(field.description or ""),
    )


def _describe_values(schema: Mapping[str, Any]) -> str:
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    return " or ".join(dict.fromkeys(_describe_kind(kind) for kind in kinds))


def _describe_kind(kind: Mapping[str, Any]) -> str:
    match kind.get("format"):
        case "path":
            return "path"
        case "password":
            return "text"
    if kind.get("type") == "object":
        return "JSON"
    if kind.get("type") == "array":
        return f"{describe_type(kind['items'])}s, comma separated"
    return describe_type(kind)


def _write_default(field: FieldInfo, unit: str) -> str:
    shown = describe_default(field)
    if not shown:
        return "—"
    if isinstance(field.default, bool):
        return "on" if field.default else "off"
    if unit == "bytes" and isinstance(field.default, int):
        for size, name in _SIZES:
            if field.default and field.default % size == 0:
                return f"{write_code(shown)} ({field.default // size} {name})"
    return write_code(shown) if " " not in shown else shown
