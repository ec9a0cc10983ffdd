"""``upstreams``: check a file of upstreams, and the servers that it names."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reward_gateway.counted import count_of

from .output import FAULTY, TIMEOUT_S, ApiKey, Unusable, Url, err, print_table
from .progress import waiting

if TYPE_CHECKING:
    from reward_gateway.backends.upstreams.config import UpstreamConfig

app = typer.Typer(help="Reward models on other servers: check.", no_args_is_help=True)

COLUMNS = ("upstream", "server", "version", "scores of the fixed texts", "fault")

SHOWN = 2
"""How many of the fixed texts' scores are shown."""


@app.callback()
def upstreams() -> None:
    """Reward models on other servers: check."""


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="A file of upstreams.", show_default="the settings' one")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Check the file alone, and ask no server.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Check a file of upstreams as the service does at start; list every fault with its place. Exit 1 if there are any.

    Then every server is asked what it is: its version, its scores of a few fixed texts, whether it gives as many
    numbers as the entry names, and whether it applies the activation that is asked for. With --url, also whether the
    running service there answers with the same versions.
    """
    from reward_gateway.backends.upstreams.file import UpstreamsFileError, load_upstreams

    path = file or _default()
    try:
        configs = load_upstreams(path)
    except UpstreamsFileError as error:
        for fault in error.faults:
            print(f"{path}: {fault}")
        raise typer.Exit(FAULTY) from None
    faults: list[str] = []
    if not offline:
        with waiting(f"asking the servers of {count_of(len(configs), 'upstream')}"):
            rows, faults = asyncio.run(_ask_servers(configs))
        print_table(COLUMNS, rows)
    if url is not None:
        faults += _compare_served(configs, url, api_key)
    for fault in faults:
        print(f"{path}: {fault}")
    if faults:
        raise typer.Exit(FAULTY)
    err.print(f"{path}: {count_of(len(configs), 'upstream')}, no faults", markup=False, soft_wrap=True)


def _default() -> Path:
    from .configuration import read_settings

    if (path := read_settings().upstreams_file) is None:
        raise Unusable("name a file of upstreams, or set REWARD_GATEWAY_UPSTREAMS_FILE")
    return path


async def _ask_servers(configs: Mapping[str, "UpstreamConfig"]) -> tuple[list[tuple[str, ...]], list[str]]:
    """A row per server, and the faults of all of them."""
    from reward_gateway.backends.upstreams.upstream import inspect_replicas
    from reward_gateway.cache.breaker import Breaker

    found = await asyncio.gather(
        *(
            inspect_replicas(name, config, lambda changed: Breaker(1, time.monotonic, changed=changed))
            for name, config in configs.items()
        )
    )
    rows: list[tuple[str, ...]] = []
    faults = []
    for name, inspected in zip(configs, found, strict=True):
        for server in inspected:
            scores = [] if server.scores is None else server.scores[:SHOWN].tolist()
            shown = "; ".join(", ".join(f"{number:.4g}" for number in row) for row in scores)
            rows.append((name, server.label, server.version, shown, server.fault))
            if server.fault:
                faults.append(f"upstreams.{name}: {server.label}: {server.fault}")
        versions = sorted({server.version for server in inspected if server.version})
        if len(versions) > 1:
            faults.append(f"upstreams.{name}: its servers differ in their weights: versions {', '.join(versions)}")
    return rows, faults


def _compare_served(configs: Mapping[str, Any], url: str, api_key: str | None) -> list[str]:
    """What a running service says of the upstreams of the file."""
    from reward_gateway.client import RewardClient

    with RewardClient(url, api_key=api_key, timeout_s=TIMEOUT_S) as client:
        served = {row["name"]: row for row in client.models()}
    faults = []
    for name in configs:
        if name not in served:
            faults.append(f"upstreams.{name}: the service at {url} does not serve it")
        elif not served[name]["ready"]:
            faults.append(f"upstreams.{name}: it is not ready at {url}")
        else:
            err.print(f"{name}: {url} answers with version {served[name]['version']}", markup=False, soft_wrap=True)
    return faults
