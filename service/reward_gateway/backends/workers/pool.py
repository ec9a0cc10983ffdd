"""A pool of worker processes that can be ended: work that may take long, off the event loop."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Any

from reward_gateway.errors import GatewayError, InternalError
from reward_gateway.fair_queue import FairQueue, Share, current_share
from reward_gateway.observer import UNOBSERVED, Observer, UnfinishedReason, WorkerPoolName

from .process import ProcessLost, WorkerProcess, encode_in_steps

PROCESSES = 2
MEMORY = 2 << 30
START_TIMEOUT_S = 60.0
PATIENCE_S = 0.25
"""Seconds that work of a caller without a process waits before one is started for it: most work ends sooner."""

MOST_WAITING = 4
"""Processes, as a multiple of those that compute, of a pool whose work waits for answers to effects."""

Answerer = Callable[[Any], Awaitable[Any]]


class NotDone(Exception):
    """Work that did not come to its end.

    Attributes:
        why: ``time``: its time passed (the process is ended if it goes on). ``memory``: it needed more than the limit.
            ``lost``: its process was ended by something else, or could not be started.
    """

    def __init__(self, why: UnfinishedReason) -> None:
        super().__init__(why)
        self.why: UnfinishedReason = why


async def refuse_effects(effect: Any) -> Any:
    """Answers no effect: for work that performs none."""
    raise TypeError(f"this work needs {type(effect).__name__} from outside")


class WorkerPool:
    """Does work in processes of its own, which start when first needed, or by :meth:`start`.

    Callers share the processes by the time that they use, and by the weight of their priority. As work is not broken
    off for another caller's, one that has no process gets the next that is free, and after a while a further one.

    Args:
        prepare: the first work of each process, for example its imports; a function that can be pickled.
        processes: how many compute at once. While work waits for an effect, as long as a judge may take, another does
            other work. While several callers want one each, there are up to twice as many.
        memory: bytes that work may allocate, beyond what the prepared process has.
        patience_s: seconds that work of a caller without a process waits before one is started for it.
        name: for the observer, which is also told of work that is not done.
    """

    def __init__(
        self,
        prepare: Callable[[], Any],
        processes: int = PROCESSES,
        memory: int = MEMORY,
        *,
        patience_s: float = PATIENCE_S,
        name: WorkerPoolName = "operations",
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._prepare = prepare
        self._processes = processes
        self._memory = memory
        self._patience_s = patience_s
        self._name: WorkerPoolName = name
        self._observer = observer
        self._idle: deque[WorkerProcess] = deque()  # empty while work waits for a process
        self._queue: FairQueue[asyncio.Future[WorkerProcess | None]] = FairQueue()
        self._held: Counter[str] = Counter()  # processes by the caller they work for; none has 0
        # Those in the queue that have waited for a while.
        self._overdue: set[asyncio.Future[WorkerProcess | None]] = set()
        self._all: set[WorkerProcess] = set()
        self._starting = 0
        self._waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def start(self) -> None:
        """Start all processes, without waiting for them."""
        while len(self._all) + self._starting < self._processes:
            self._start_one()

    async def run(
        self,
        work: Callable[..., Any],
        deadline: float | None = None,
        *,
        body: bytes = b"",
        limit_s: float | None = None,
        cpu_s: float | None = None,
        answer: Answerer = refuse_effects,
        is_tried: bool = False,
    ) -> Any:
        """Do a piece of work for the caller of the running task and return its result.

        Args:
            work: a function that can be pickled; it may be a generator of effects.
            body: the function's argument, if not empty: bytes of any size, which are sent piece by piece.
            deadline: time of the running loop's clock, waiting for a free process included; None: no limit.
            limit_s: seconds from the moment a process begins it.
            cpu_s: seconds that it may compute: what else the machine has to do is not counted. Not for generators.
            answer: answers the effects of the work; a GatewayError is raised where the effect was performed.
            is_tried: work that takes too long is done elsewhere, so that the observer is not told.

        Raises:
            NotDone: it did not come to its end.
            Exception: what the work raised.
        """
        try:
            return await self._run(work, deadline, body, limit_s, cpu_s, answer)
        except NotDone as unfinished:
            if not (is_tried and unfinished.why == "time"):
                self._observer.work_unfinished(unfinished.why)
            raise

    async def _run(
        self,
        work: Callable[..., Any],
        deadline: float | None,
        body: bytes,
        limit_s: float | None,
        cpu_s: float | None,
        answer: Answerer,
    ) -> Any:
        share = current_share()
        worker = await self._take_worker(share, deadline)
        now = asyncio.get_running_loop().time
        begun = now()
        limits = [limit for limit in (deadline, None if limit_s is None else begun + limit_s) if limit is not None]
        until = min(limits, default=None)
        try:
            return await self._converse(worker, work, body, until, cpu_s, answer)
        finally:
            if self._queue:  # beyond the 1 of its turn; what nobody else wants costs nothing
                self._queue.charge(share, now() - begun)
            self._hold(share, -1)
            if worker.reply is None and len(self._all) <= self._count_allowed():
                self._give(worker)
            else:
                self._spawn(self._settle(worker))

    def _hold(self, share: Share, processes: int) -> None:
        """Count processes that a caller holds from now on."""
        self._held[share.caller] += processes
        if not self._held[share.caller]:
            del self._held[share.caller]
        self._report_change()

    def _report_change(self) -> None:
        self._observer.worker_pool_changed(self._name, self._held.total(), len(self._queue))

    async def _converse(
        self,
        worker: WorkerProcess,
        work: Callable[..., Any],
        body: bytes,
        until: float | None,
        cpu_s: float | None,
        answer: Answerer,
    ) -> Any:
        """Ask, answer effects, and return the result. ``worker.reply`` is None afterwards if the process is free."""
        now = asyncio.get_running_loop().time
        if until is not None and until <= now():
            raise NotDone("time")
        message: Any = (work, None if until is None else until - now(), cpu_s)
        while True:
            try:
                async with asyncio.timeout_at(until):
                    frame, body = await encode_in_steps(message, body), b""
            except TimeoutError:
                raise NotDone("time") from None
            reply = worker.ask(frame)
            await asyncio.wait({reply}, timeout=None if until is None else max(0.0, until - now()))
            if not reply.done():
                raise NotDone("time")
            if reply.cancelled():  # the pool was closed
                raise NotDone("lost")
            try:
                (kind, value), attachment = reply.result()
            except ProcessLost:
                raise NotDone("time" if await worker.has_spent_its_time() else "lost") from None
            match kind:
                case "effect":
                    self._waiting += 1
                    self._refill()
                    try:
                        async with asyncio.timeout_at(until):
                            message = ("send", await answer(value))
                    except GatewayError as error:
                        message = ("throw", error)
                    except TimeoutError:
                        raise NotDone("time") from None
                    finally:
                        self._waiting -= 1
                case "memory":
                    raise NotDone("memory")  # the process ends itself
                case _:
                    worker.reply = None
                    if kind == "done":
                        return attachment or value
                    raise NotDone("time") if kind == "time" else value

    async def _take_worker(self, share: Share, deadline: float | None) -> WorkerProcess:
        """A free process, under the deadline."""
        while not self._closed:
            if self._idle:
                worker: WorkerProcess | None = self._idle.popleft()
                self._hold(share, 1)
            else:
                worker = await self._wait_in_line(share, deadline)
            if worker is None:
                raise NotDone("lost")
            if not worker.has_ended:
                return worker
            self._hold(share, -1)
            self._all.discard(worker)  # somebody ended it while it was idle
        raise NotDone("lost")

    async def _wait_in_line(self, share: Share, deadline: float | None) -> WorkerProcess | None:
        """A process, as soon as it is the caller's turn; None if one could not be started."""
        loop = asyncio.get_running_loop()
        place: asyncio.Future[WorkerProcess | None] = loop.create_future()
        self._queue.append(share, place)
        self._report_change()
        self._refill()
        alarm = loop.call_later(self._patience_s, self._note_overdue, place)
        try:
            async with asyncio.timeout_at(deadline):
                return await place
        except BaseException as error:
            if place.done() and not place.cancelled() and (worker := place.result()) is not None:
                self._hold(share, -1)  # given just as the caller left: pass it on
                self._give(worker)
            if isinstance(error, TimeoutError):
                raise NotDone("time") from None
            raise
        finally:
            alarm.cancel()
            self._overdue.discard(place)
            if self._queue.discard(share, place):
                self._report_change()

    def _note_overdue(self, place: "asyncio.Future[WorkerProcess | None]") -> None:
        self._overdue.add(place)
        self._refill()

    def _find_next(self) -> "tuple[Share, asyncio.Future[WorkerProcess | None]]":
        """Whose turn it is: callers without a process come first."""
        return self._queue.first(lambda share: share.caller not in self._held)

    def _give(self, worker: WorkerProcess | None) -> None:
        """Give a free process, or None for one that could not be started, to whose turn it is."""
        while self._queue:
            share, place = self._find_next()
            self._queue.discard(share, place)
            self._queue.charge(share, 1)
            if not place.done():
                if worker is not None:
                    self._hold(share, 1)
                place.set_result(worker)
                self._report_change()
                return
        if worker is not None:
            self._idle.append(worker)

    async def _settle(self, worker: WorkerProcess) -> None:
        """End a surplus process, and one that has not finished and does not do so soon; replace what is missing."""
        free = worker.reply is not None and await worker.finishes_soon()
        if free and len(self._all) <= self._count_allowed():
            self._give(worker)
            return
        await worker.end()
        self._all.discard(worker)
        if not self._closed:
            self.start()
            self._refill()

    def _count_allowed(self) -> int:
        """Processes that there may be now."""
        allowed = self._processes + min(self._waiting, (MOST_WAITING - 1) * self._processes)
        if self._overdue:
            share, place = self._find_next()
            if share.caller not in self._held and place in self._overdue:
                allowed += min(len(self._held), self._processes)
        return allowed

    def _refill(self) -> None:
        """Start a process if one is wanted and there may be more."""
        if (
            not self._closed
            and len(self._queue) > self._starting
            and len(self._all) + self._starting < self._count_allowed()
        ):
            self._start_one()

    def _start_one(self) -> None:
        self._starting += 1
        self._spawn(self._start_process())

    async def _start_process(self) -> None:
        """Start a process and prepare it; a failure is told to one that waits, if any does."""
        worker: WorkerProcess | None = None
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                worker = await WorkerProcess.start(self._memory)
                (kind, error), _ = await worker.ask(await encode_in_steps((self._prepare, None, None)))
                worker.reply = None
                if kind != "done":
                    raise InternalError(f"a worker process failed to start: {error}")
        except Exception:
            if worker is not None:
                await worker.end()
            self._give(None)
        except asyncio.CancelledError:
            if worker is not None:
                await worker.end()
            raise
        else:
            self._all.add(worker)
            self._give(worker)
        finally:
            self._starting -= 1
        self._refill()  # for the others that wait

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End the processes."""
        self._closed = True
        while self._queue:
            self._give(None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in self._all))
        self._all.clear()
