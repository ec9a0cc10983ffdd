"""The supervisor: starts children stage by stage, restarts them, and stops them in reverse order."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reward_gateway.local.children import Child
from reward_gateway.local.errors import StackError

Report = Callable[[str], None]
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STDERR = 2


@dataclass(slots=True)
class Supervisor:
    """Runs stages of children; a stage starts once the one before it is ready.

    Args:
        stages: children that start together, in the order of the stages.
        report: takes one line of progress.
        find_cause: returns what is wrong with the machine, as a sentence, or an empty string.
        delays_s: delays before the first, second, … restart of a child that keeps dying; the last one is repeated for
            as long as it does. The others keep running meanwhile.
        calm_s: a child that has run this long starts again with the first delay.
        on_last_stopped: called when the children of the last stage have ended, before the others are stopped.
    """

    stages: Sequence[Sequence[Child]]
    report: Report
    find_cause: Callable[[], str] = str
    delays_s: Sequence[float] = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
    calm_s: float = 20.0
    on_last_stopped: Callable[[], None] = lambda: None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Run until SIGINT, SIGTERM or ``stop()``, and leave no child behind. SIGHUP lets children read files again.

        Raises:
            StackError: a child could not be started the first time.
        """
        loop = asyncio.get_running_loop()
        terminal = os.isatty(_STDERR)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        # A terminal that was closed sends SIGHUP too: whoever started the stack there is gone, and so it ends.
        loop.add_signal_handler(
            signal.SIGHUP, lambda: self.stop() if terminal and not os.isatty(_STDERR) else self.reload()
        )
        work = asyncio.create_task(self._run_stages(on_ready))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            work.cancel()
            outcome = (await asyncio.gather(work, return_exceptions=True))[0]
            await self._stop_all()
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
        while isinstance(outcome, BaseExceptionGroup):  # the first failure is the one that stopped the stack
            outcome = outcome.exceptions[0]
        if isinstance(outcome, Exception):
            raise outcome

    def reload(self) -> None:
        """Let the children that can read their files again."""
        self.report("reading recipes and keys again")
        for child in self._all_children():
            child.reload()

    def stop(self) -> None:
        """Stop in order; if called again, stop at once."""
        if self._stopping.is_set():
            self.report("stopping at once")
            for child in self._all_children():
                child.kill()
        self._stopping.set()

    async def _run_stages(self, on_ready: Callable[[], None]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for stage in self.stages:
                async with asyncio.TaskGroup() as starting:
                    for child in stage:
                        starting.create_task(self._start_child(child))
                for child in stage:
                    tasks.create_task(self._keep_running(child))
            on_ready()

    async def _start_child(self, child: Child) -> None:
        began = time.monotonic()
        self.report(f"{child.name}: starting")
        await child.start()
        self.report(f"{child.name}: ready after {time.monotonic() - began:.1f} s")

    async def _keep_running(self, child: Child) -> None:
        died = 0
        while True:
            began = time.monotonic()
            await child.wait_exited()
            if time.monotonic() - began > self.calm_s:
                died = 0
            why = f"{child.name} {child.describe_end()}"
            failures = 0  # to start
            while True:
                delay = self.delays_s[min(died, len(self.delays_s) - 1)]
                died += 1
                excerpt = child.read_log_excerpt() if failures == 1 or died == len(self.delays_s) else ""
                self.report(f"{self._add_cause(why)}; starting it again in {delay:g} s{excerpt}")
                await asyncio.sleep(delay)
                try:
                    await self._start_child(child)
                    break
                except (StackError, OSError) as error:
                    failures += 1
                    why = str(error).removesuffix(child.read_log_excerpt()).partition("\n")[0]

    def _add_cause(self, why: str) -> str:
        cause = self.find_cause()
        return f"{why} ({cause})" if cause else why

    async def _stop_all(self) -> None:
        for place, stage in enumerate(reversed(self.stages)):
            running = [child for child in stage if child.running]
            if running:
                self.report(f"{', '.join(child.name for child in running)}: stopping")
            await asyncio.gather(*(child.stop() for child in running))
            if place == 0:
                self.on_last_stopped()

    def _all_children(self) -> list[Child]:
        return [child for stage in self.stages for child in stage]
