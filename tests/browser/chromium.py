"""A real Chromium without a window, told what to do over its debugging pipe (the DevTools protocol)."""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.clock import LONGEST_WAIT_S

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",  # which root and containers lack; only pages of these tests are opened
    "--no-first-run",
    "--no-proxy-server",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    # Nothing of its own goes to the network.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Tab:
    """A tab of a running Chromium."""

    def __init__(self, browser: "Chromium", session: str) -> None:
        self._browser = browser
        self._session = session

    async def open(self, url: str) -> None:
        """Go to an address, and wait until the page with all that it names is loaded."""
        loaded = self._browser.expect("Page.loadEventFired", self._session)
        answer = await self.send("Page.navigate", url=url)
        assert "errorText" not in answer, answer
        async with asyncio.timeout(LONGEST_WAIT_S):
            await loaded

    async def run(self, script: str) -> Any:
        """The value of an expression in the page, awaited if it is a promise."""
        answer = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until an expression in the page is true; a page that has just begun has none of its names."""
        async with asyncio.timeout(LONGEST_WAIT_S):
            while not await self.run(f"(() => {{ try {{ return !!({condition}) }} catch {{ return false }} }})()"):
                await asyncio.sleep(0.05)

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol."""
        return await self._browser.send(method, parameters, self._session)


class Chromium:
    """A running Chromium."""

    def __init__(self, commands: asyncio.StreamWriter, answers: asyncio.StreamReader) -> None:
        self._commands = commands
        self._answers = answers
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._expected: dict[tuple[str, str], asyncio.Future[None]] = {}

    @asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        """A new tab, empty; closed at the end."""
        target = await self.send("Target.createTarget", {"url": "about:blank"})
        attached = await self.send("Target.attachToTarget", {"targetId": target["targetId"], "flatten": True})
        tab = Tab(self, attached["sessionId"])
        await tab.send("Page.enable")
        await tab.send("Page.bringToFront")
        try:
            yield tab
        finally:
            await self.send("Target.closeTarget", {"targetId": target["targetId"]})

    async def send(self, method: str, parameters: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        """One command of the protocol, to a tab where a session says which."""
        number = next(self._ids)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        command = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        self._commands.write(json.dumps(command).encode() + b"\0")
        await self._commands.drain()
        async with asyncio.timeout(LONGEST_WAIT_S):
            found: dict[str, Any] = await answer
        return found

    def expect(self, event: str, session: str) -> "asyncio.Future[None]":
        """Done when the tab's event comes next."""
        return self._expected.setdefault((event, session), asyncio.get_running_loop().create_future())

    async def read_answers(self) -> None:
        """Hand out what Chromium says, until it ends."""
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                message = json.loads((await self._answers.readuntil(b"\0"))[:-1])
                if "id" in message:
                    answer = self._waiting.pop(message["id"])
                    if "error" in message:
                        answer.set_exception(AssertionError(message["error"]))
                    else:
                        answer.set_result(message["result"])
                elif expected := self._expected.pop((message["method"], message.get("sessionId", "")), None):
                    expected.set_result(None)


@asynccontextmanager
async def started(folder: Path, *flags: str) -> AsyncIterator[Chromium]:
    """Chromium with a new profile in a folder. It is killed with all its processes at the end."""
    assert PROGRAM is not None
    loop = asyncio.get_running_loop()
    to_read, commands_fd = os.pipe()
    answers_fd, to_write = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "bash"),  # the two numbers that Chromium looks at
        *(PROGRAM, *_FLAGS, f"--user-data-dir={folder}", *flags),
        pass_fds=(to_read, to_write),
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(to_read)
    os.close(to_write)
    answers = asyncio.StreamReader(limit=64 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(answers), os.fdopen(answers_fd, "rb"))
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(commands_fd, "wb"))
    browser = Chromium(asyncio.StreamWriter(transport, protocol, None, loop), answers)
    reading = asyncio.create_task(browser.read_answers())
    try:
        yield browser
    finally:
        reading.cancel()
        transport.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
