"""``doctor``: its flags are those of ``serve``, and a few of its own."""

import inspect
import json
from typing import Annotated, Any

import typer

from ..configuration import read_settings
from ..output import FAULTY, ApiKey, Unusable, Url, out
from ..serve_flags import flags_kept, setting_flags

_STYLES = {"ok": "green", "warning": "yellow", "fault": "bold red"}


def doctor(
    *,
    url: Url = None,
    api_key: ApiKey = None,
    timeout_s: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds that each check has.")] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
    **flags: Any,
) -> None:
    """Say what keeps a gateway from working here, and what to do: a line per finding (ok, warning or fault).

    With the flags and variables of serve, what it would start with is checked: ports, disk, Python, Triton, Redis,
    models, recipes, judges, upstreams, limits. With --url a running service is asked instead. No prompt is sent to a
    judge. Exit 1 if there is a fault.
    """
    from .check import Subject
    from .examine import Row, examine

    if url is not None and not url.startswith("http"):
        raise Unusable("doctor asks a service over HTTP: name its address with --url http://HOST:PORT")
    try:
        with flags_kept(flags):
            settings = read_settings()
    except Unusable as error:
        rows = [Row("settings", "fault", line) for line in str(error).splitlines()]
    else:
        rows = examine(Subject(settings, (url or "").rstrip("/"), api_key, timeout_s))
    sound = all(row.level != "fault" for row in rows)
    if as_json:
        print(json.dumps({"ok": sound, "checks": [row._asdict() for row in rows]}))
    else:
        width = max(len(row.check) for row in rows)
        for row in rows:
            out.print(f"{row.level:<8}", style=_STYLES[row.level], end="", markup=False)
            out.print(f" {row.check:<{width}}  {row.message}", markup=False, soft_wrap=True)
    if not sound:
        raise typer.Exit(FAULTY)


_own = [p for p in inspect.signature(doctor).parameters.values() if p.kind is p.KEYWORD_ONLY]
_parameters = [*_own, *setting_flags()]
doctor.__signature__ = inspect.Signature(_parameters, return_annotation=None)  # type: ignore[attr-defined]
doctor.__annotations__ = {each.name: each.annotation for each in _parameters}
