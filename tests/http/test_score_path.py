"""The way of ``POST /v1/score`` through the packages: drawn in the guide's page Architecture, and held here."""

import gc
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
import reward_gateway

pytestmark = pytest.mark.anyio

ROOT = f"{Path(reward_gateway.__file__).parent}/"

of_the_request: ContextVar[bool] = ContextVar("of_the_request", default=False)


async def modules_visited(served: Any) -> list[str]:
    """Modules in the order in which they are entered, from the request to its answer."""
    body = {"reward": "plain", "samples": [{"prompt": "p", "response": "abc"}]}
    await served.score(body)  # what is loaded or compiled once is no part of the way
    visited: list[str] = []
    entered: set[Any] = set()

    def enter(frame: Any, event: str, _: Any) -> None:
        name = frame.f_code.co_filename
        ours = event == "call" and name.startswith(ROOT) and of_the_request.get()
        if ours and frame not in entered:
            entered.add(frame)  # how often a coroutine is resumed depends on what else the machine does
            module = name.removeprefix(ROOT).removesuffix(".py")
            if not visited or visited[-1] != module:
                visited.append(module)

    # Tasks of the service that tick meanwhile are no part of the way, nor is what the collector ends.
    token = of_the_request.set(True)
    gc.disable()
    sys.setprofile(enter)
    try:
        answer = await served.score(body)
    finally:
        sys.setprofile(None)
        gc.enable()
        of_the_request.reset(token)
    assert answer.status_code == 200
    return visited[visited.index("http/entry/entry") :]  # what is before is the end of the request before


async def test_a_request_passes_the_packages_in_their_order(served: Any) -> None:
    visited = await modules_visited(served)
    packages = [module.partition("/")[0] for module in visited]
    assert packages.index("http") < packages.index("traffic") < packages.index("intake") < packages.index("gateway")
    assert not {"admin", "oip", "pages", "grpc"} & set(packages)


async def test_decoding_comes_before_the_dataplane_and_encoding_after_it(served: Any) -> None:
    first = list(
        dict.fromkeys(await modules_visited(served))
    )  # a coroutine that is resumed is entered from the outside
    way = [
        "intake/decode",
        "intake/score_intake",
        "intake/batch_builder",
        "scoring/cached_scorer",
        "recipes/evaluate",
        "http/encode",
    ]
    assert sorted(way, key=first.index) == way
    begun = first.index("scoring/cached_scorer")
    assert [module for module in first[begun:] if module.startswith("http/")] == ["http/encode"]


async def test_the_way_is_short(served: Any) -> None:
    visited = await modules_visited(served)
    assert visited.count("http/dependencies") <= 2
    # The last are `runs` and `metering`, which are handed what was scored.
    assert len({module.partition("/")[0] for module in visited if "/" in module}) <= 10
    # Some work is done now and then, by whichever request comes: it is no part of every request's way.
    always = set(visited).intersection(*[await modules_visited(served) for _ in range(2)])
    # 65 as this is written. The bound stops a layer from being added to every request, and leaves room for
    # a module or two that only some processes pass (a log filter, say, once another test has set one).
    assert len(always) <= 75, sorted(always)
    assert not any(module.startswith("state/") for module in visited)  # the recipe keeps none
