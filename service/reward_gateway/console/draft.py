"""A recipe that is being written: checked as ``POST /v1/rewards:validate`` checks it, and saved into the file."""

import asyncio
import contextlib
import re
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from reward_gateway.errors import Conflict, GatewayError, InvalidRecipe, PreconditionFailed, TooLarge
from reward_gateway.intake.recipe_file import read_recipe_file
from reward_gateway.recipes.book import RecipeBook, load_book
from reward_gateway.recipes.plan import Plan
from reward_gateway.recipes.source_text import Block, find_blocks, put_block, read_one
from reward_gateway.traffic.deadlines import deadline_at

from .page import Visit
from .rewards_file import RewardsFile, digest_text

log = structlog.get_logger(__name__)

LARGEST = 256 << 10
"""Maximum characters of a draft."""

CHECK_S = 10.0
"""Maximum seconds that a check may take."""

LOADING_S = 5.0
"""Seconds that somebody who saved waits for the gateway to load the file."""

_PLACE = re.compile(r"line (\d+)(?:, column (\d+))?")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a text, and where: line and column counted from 1."""

    line: int
    column: int
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A text as the check found it.

    Attributes:
        book: its recipes; None where it has faults.
        warnings: what works, but is hardly meant or not served yet.
    """

    faults: list[Fault]
    warnings: list[Fault]
    book: RecipeBook | None

    @property
    def plan(self) -> Plan | None:
        """Its recipe; the first of several."""
        return next(iter(self.book), None) if self.book is not None else None


@dataclass(frozen=True, slots=True)
class Saved:
    """What was saved.

    Attributes:
        loaded: the gateway scores by it.
    """

    block: Block
    version: str
    loaded: bool


async def check_text(visit: Visit, text: str) -> Checked:
    """Check the text of a recipe file. Raises TooLarge, or what kept the check from ending."""
    if len(text) > LARGEST:
        raise TooLarge(f"a recipe has at most {LARGEST} characters here")
    with contextlib.suppress(GatewayError):
        await visit.parts.gateway.runtime.refresh_models()  # as the API's check does: versions come and go
    return await _check(visit, text)


async def _check(visit: Visit, text: str) -> Checked:
    """Check the text in a worker process, and only then compile it here."""
    gateway = visit.parts.gateway
    deadline = deadline_at(asyncio.get_running_loop().time(), visit.parts.settings, CHECK_S)
    found = await gateway.validate_rewards(text.encode(), partial(read_recipe_file, None), deadline)
    faults, warnings = ([_read_fault(each) for each in found[key]] for key in ("faults", "warnings"))
    if not found["valid"]:
        return Checked(faults, warnings, None)
    runtime = gateway.runtime
    book = await asyncio.to_thread(load_book, text, runtime.known_models(), judges=runtime.judge_fallbacks)
    return Checked(faults, warnings, book)


async def save_text(visit: Visit, text: str, edited: str, digest: str) -> Saved:
    """Write a recipe into the file that the gateway was started with.

    Args:
        edited: the recipe of the file that the editor was opened with; empty: a new one.
        digest: of that recipe's text then.

    Raises:
        PermissionDenied: the visitor's key has no right ``admin``.
        Conflict: the file cannot be written, or has a recipe of the new name.
        PreconditionFailed: somebody else has changed the recipe since.
        InvalidRecipe: the text, or the file with it, has faults.
    """
    visit.require("admin")
    file = RewardsFile(visit.parts.settings.rewards_file)
    if reason := file.explain_unwritable():
        raise Conflict(reason)
    _refuse_faults(await check_text(visit, text), "")
    block = read_one(text)
    for _ in range(3):  # another recipe of the file may change at the same time
        before = await asyncio.to_thread(file.read)
        _check_unchanged(find_blocks(before), block.name, edited, digest)
        after = put_block(before, block)
        checked = await _check(visit, after)
        _refuse_faults(checked, f"{file.name}, with this recipe in it: ")
        assert checked.book is not None, "a file without faults has recipes"
        if await asyncio.to_thread(file.replace, before, after):
            version = checked.book.plans[block.name].version
            log.info("recipe_saved", recipe=block.name, version=version, key=visit.key.name)
            return Saved(find_blocks(after)[block.name], version, await _wait_for(visit, block.name, version))
    raise PreconditionFailed(f"{file.name} is being changed by others: try again")


def _check_unchanged(blocks: dict[str, Block], name: str, edited: str, digest: str) -> None:
    if name == edited:
        if name not in blocks:
            raise PreconditionFailed(f"somebody has removed {name} since you opened it: save it under another name")
        if digest_text(blocks[name].text) != digest:
            raise PreconditionFailed(
                f"somebody has changed {name} since you opened it. Nothing was saved. Open it again to see the change; "
                "your text stays here, to be downloaded or saved under another name"
            )
    elif name in blocks:
        raise Conflict(f"there is a recipe {name} already: choose another name, or open that one")


def _refuse_faults(checked: Checked, where: str) -> None:
    if checked.faults:
        first = checked.faults[0]
        more = f" (and {len(checked.faults) - 1} more)" if len(checked.faults) > 1 else ""
        raise InvalidRecipe(f"Nothing was saved. {where}line {first.line}, {first.path}: {first.message}{more}")


async def _wait_for(visit: Visit, name: str, version: str) -> bool:
    """Whether the gateway has loaded a recipe, after a while."""
    loop = asyncio.get_running_loop()
    until = loop.time() + LOADING_S
    while loop.time() < until:
        plan = visit.parts.gateway.book.plans.get(name)
        if plan is not None and plan.version == version:
            return True
        await asyncio.sleep(0.05)
    return False


def _read_fault(fault: dict[str, Any]) -> Fault:
    place = _PLACE.match(fault["place"])
    line, column = (int(place[1]), int(place[2] or 1)) if place else (1, 1)
    return Fault(line, column, fault["path"], fault["message"])
