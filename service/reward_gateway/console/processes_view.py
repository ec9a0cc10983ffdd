"""The processes of all pods and what they refused lately, as tables."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

from reward_gateway.pages.html import Content, Html, el, join
from reward_gateway.pages.layout import render_table
from reward_gateway.traffic.process_board import AWAY, Process, ProcessBoard
from reward_gateway.traffic.refusals import Refusal

from .widgets import render_badge, render_empty, render_note

NAMED = 3
"""Recipes that are named where some cannot answer."""


class Seen(NamedTuple):
    """What the board shows, and whether that is of all processes."""

    processes: list[Process]
    refusals: list[Refusal]
    shared: bool
    away: bool = False


async def look_at(board: ProcessBoard) -> Seen:
    """What there is; of this process alone while Redis cannot be reached."""
    try:
        return Seen(await board.read_processes(), await board.read_refusals(), board.shared)
    except AWAY:
        return Seen([await board.describe_own()], list(reversed(board.refusals.latest)), shared=False, away=True)


def render_processes(seen: Seen) -> Html:
    """Who is alive, and how much each does."""
    rows: list[tuple[Content, ...]] = [
        (
            el("code", process.pod),
            str(process.pid),
            el("span", process.version, class_="version"),
            _when(process.started),
            _describe_state(process),
            f"{process.in_flight:,}",
            f"{process.queued:,}",
        )
        for process in seen.processes
    ]
    columns = ("pod or host", "process", "version", "started (UTC)", "state", "in flight", "queued")
    return el(
        "section",
        el("h2", "Processes of the gateway"),
        _render_whose(seen, "These are the figures"),
        render_table(columns, *rows),
        aria_label="Processes of the gateway",
    )


def render_refusals(seen: Seen, most: int) -> Html:
    """The latest refusals, the newest first."""
    rows: list[tuple[Content, ...]] = [
        (
            _when(refusal.at, seconds=True),
            el("code", refusal.code),
            el("code", refusal.route),
            refusal.protocol,
            refusal.key or "–",
        )
        for refusal in seen.refusals[:most]
    ]
    columns = ("time (UTC)", "code", "path", "protocol", "key")
    return el(
        "section",
        el("h2", "Last refusals"),
        _render_whose(seen, "These are the refusals"),
        render_table(columns, *rows)
        if rows
        else render_empty("Nothing was refused", "Requests that cannot be answered are listed here by their codes."),
        aria_label="Last refusals",
    )


def render_pods(processes: Sequence[Process]) -> Html | None:
    """Which pods can answer, and where their models are; None where there is one."""
    pods = [(name, list(of_pod)) for name, of_pod in groupby(processes, key=lambda process: process.pod)]
    if len(pods) < 2:
        return None
    rows: list[tuple[Content, ...]] = [
        (el("code", name), str(len(of_pod)), _describe_pod(of_pod), _describe_devices(of_pod)) for name, of_pod in pods
    ]
    return el(
        "section",
        el("h2", "Pods"),
        render_table(("pod or host", "processes", "state", "models on"), *rows),
        aria_label="Pods",
    )


def _render_whose(seen: Seen, what: str) -> Html | None:
    if seen.shared:
        return None
    if seen.away:
        return render_note(f"The state store cannot be reached. {what} of this process alone.", kind="warning")
    return el("p", f"There is no Redis (REWARD_GATEWAY_STATE_REDIS_URL): {what.lower()} of one process.", class_="note")


def _describe_pod(processes: Sequence[Process]) -> Html:
    """The state of the process that is worst off."""
    order = {"good": 0, "warn": 1, "bad": 2}
    return _describe_state(max(processes, key=lambda process: order[_find_state(process)[1]]))


def _describe_state(process: Process) -> Html:
    text, kind = _find_state(process)
    missing = process.health.missing
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    names = f"without {', '.join(missing[:NAMED])}{more}" if missing else None
    return join(render_badge(text, kind), el("p", names, class_="note") if names else None)


def _find_state(process: Process) -> tuple[str, str]:
    if process.draining:
        return "shutting down", "bad"
    if not process.health.ready:
        return "not ready", "bad"
    return ("degraded", "warn") if process.health.missing else ("ready", "good")


def _describe_devices(processes: Sequence[Process]) -> str:
    """Each device with how many models are there."""
    devices = list(processes[0].health.devices.values())
    return ", ".join(f"{name}: {devices.count(name)}" for name in dict.fromkeys(devices)) or "–"


def _when(at: float, *, seconds: bool = False) -> Html:
    moment = datetime.fromtimestamp(at, UTC)
    return el(
        "time", f"{moment:%Y-%m-%d %H:%M:%S}" if seconds else f"{moment:%Y-%m-%d %H:%M}", datetime=moment.isoformat()
    )
