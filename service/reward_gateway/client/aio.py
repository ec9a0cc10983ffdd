"""The asyncio client. Concurrent single calls are sent as one request (:meth:`score_one`)."""

import contextlib
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, Self, Unpack
from urllib.parse import urlsplit

from reward_gateway.address import add_scheme, split_address
from reward_gateway.errors import DeadlineExceeded, GatewayError, NotFound
from reward_gateway.sample import Text

from .coalescer import Coalescer
from .job_calls import Submit
from .jobs import TRIES, AsyncJob
from .listings import Bucket, run_listing, runs_listing, samples_listing, usage_listing
from .request import (
    Columns,
    JobArguments,
    JobColumns,
    ScoreArguments,
    columns_body,
    job_columns_body,
    job_samples_body,
    samples_body,
)
from .retry import await_with_retries, new_idempotency_key
from .runs import AsyncRunQueue
from .scores import SampleScore, Scores
from .sync import DEFAULT_URL, READY_S
from .tls import ClientTls
from .transport import async_transport_of

MOST_JOBS = 4096
"""Jobs of single calls that are waited for at once."""


class AsyncRewardClient:
    """Rewards from a running service, for one event loop.

    Args:
        url: as of :class:`.sync.RewardClient`.
        api_key: default: ``REWARD_GATEWAY_API_KEY``.
        timeout_s: maximum seconds of a call, retries included; sent to the server as the deadline.
        ca_file: authorities that may sign the service's certificate; default: ``REWARD_GATEWAY_CA_FILE``, else those
            that the system trusts.
        client_certificate, client_key: for a service that demands a certificate; default:
            ``REWARD_GATEWAY_CLIENT_CERTIFICATE`` and ``REWARD_GATEWAY_CLIENT_KEY``.
        run: the training run, to which cohorts, streams and archives belong; default: ``REWARD_GATEWAY_RUN``.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout_s: float = 120.0,
        ca_file: str | os.PathLike[str] | None = None,
        client_certificate: str | os.PathLike[str] | None = None,
        client_key: str | os.PathLike[str] | None = None,
        run: str | None = None,
    ) -> None:
        self.url = add_scheme(url or os.environ.get("REWARD_GATEWAY_URL") or DEFAULT_URL)
        self.timeout_s = timeout_s
        self._arguments: dict[str, Any] = {
            "api_key": api_key,
            "timeout_s": timeout_s,
            "ca_file": ca_file,
            "client_certificate": client_certificate,
            "client_key": client_key,
            "run": run,
        }
        tls = ClientTls.of(ca_file, client_certificate, client_key)
        key, run = api_key or os.environ.get("REWARD_GATEWAY_API_KEY"), run or os.environ.get("REWARD_GATEWAY_RUN")
        self._run = run or split_address(urlsplit(self.url).path + "/").run
        self._transport = async_transport_of(self.url, key, tls, run)
        self._single = Coalescer(self._score_batch)
        self._single_jobs = Coalescer(self._follow_job, MOST_JOBS)

    async def score(
        self,
        prompts: Text | Sequence[Text] | None,
        responses: Sequence[Text | None],
        **arguments: Unpack[Columns],
    ) -> Scores:
        """Score responses, one reward each, in their order.

        Args:
            prompts: one per response, or one for all (a text, or the messages of one conversation).
            responses: texts, or conversations; None makes that sample invalid.
            asked: see :class:`~.request.Columns` and :class:`~.request.Asked`.

        Raises:
            GatewayError: the class says what: ``NotFound``, ``TooLarge``, ``Unavailable`` …
            ValueError: columns of different lengths.
        """
        return await self._send_score(columns_body(prompts, responses, arguments), arguments)

    async def score_samples(self, samples: Sequence[Mapping[str, Any]], **arguments: Unpack[ScoreArguments]) -> Scores:
        """Score samples that already have the API's form (``prompt``, ``response``, ``reference`` …)."""
        return await self._send_score(samples_body(samples, arguments), arguments)

    async def submit(
        self,
        prompts: Text | Sequence[Text] | None,
        responses: Sequence[Text | None],
        **arguments: Unpack[JobColumns],
    ) -> AsyncJob:
        """As :meth:`.sync.RewardClient.submit`."""
        return await self._submit(job_columns_body(prompts, responses, arguments), arguments)

    async def submit_samples(self, samples: Sequence[Mapping[str, Any]], **arguments: Unpack[JobArguments]) -> AsyncJob:
        """As :meth:`submit`, of samples that already have the API's form."""
        return await self._submit(job_samples_body(samples, arguments), arguments)

    def job(self, job: str) -> AsyncJob:
        """A job by its id, whoever submitted it with the same key. Nothing is asked yet."""
        return AsyncJob(self, job)

    def run(self, name: str | None = None) -> AsyncRunQueue:
        """The queue of a run's results; default: the run of this client. Raises ValueError where none is named."""
        if (run := name or self._run) is None:
            raise ValueError("name the run, here, as run of the client, or by REWARD_GATEWAY_RUN")
        return AsyncRunQueue(self, run)

    async def score_one(
        self,
        prompt: Text | None,
        response: Text | None,
        *,
        sample: Mapping[str, Any] | None = None,
        job: bool = False,
        **arguments: Unpack[ScoreArguments],
    ) -> SampleScore:
        """Score one response. Concurrent calls are sent as one request; each gets its own result.

        A recipe that compares the samples of a group needs them in one call: use :meth:`score`.

        Args:
            sample: further fields of the sample, in the API's form (``reference``, ``features`` …).
            job: by a job in place of a request, for scores that take long: nothing is held meanwhile, and a gateway
                that restarts goes on where it keeps its jobs. ``timeout_s`` is that of the result.

        Raises:
            GatewayError: this call failed; errors of other samples in the same request are not raised here.
        """
        fields = {"prompt": prompt, "response": response, **(sample or {})}
        body = samples_body([{name: value for name, value in fields.items() if value is not None}], arguments)
        if arguments.get("idempotency_key") is not None:  # a key is that of one request, so this one travels alone
            return (await self._send_score(body, arguments))[0]
        together = self._single_jobs if job else self._single
        return await together.score_one(body, arguments.get("timeout_s"), arguments.get("step"))

    async def apply(
        self,
        kind: str,
        name: str,
        items: Sequence[Mapping[str, Any]],
        params: Mapping[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
        idempotency_key: str | None = None,
    ) -> list[dict[str, Any]]:
        """Apply one operation to items; one result each (``reward``, ``rewards``, ``details``, ``error``).

        Args:
            timeout_s: maximum seconds of this call, retries included.
            idempotency_key: your own key, if you retry the call yourself; default: a random one per call.
        """
        body = {"items": list(items), "params": dict(params or {})}
        key = idempotency_key or new_idempotency_key()
        return await await_with_retries(
            lambda left_s: self._transport.apply(kind, name, body, left_s, key), timeout_s or self.timeout_s
        )

    async def rewards(self) -> list[dict[str, Any]]:
        """The recipes that are loaded."""
        rows: list[dict[str, Any]] = (await self._get_listing("rewards"))["rewards"]
        return rows

    async def catalog(self) -> list[dict[str, Any]]:
        """Every operation."""
        rows: list[dict[str, Any]] = (await self._get_listing("catalog"))["operations"]
        return rows

    async def models(self) -> list[dict[str, Any]]:
        """The reward models with their cards (over HTTP only)."""
        rows: list[dict[str, Any]] = (await self._get_listing("models"))["models"]
        return rows

    async def list_runs(self, *, tenant: str | None = None) -> list[dict[str, Any]]:
        """The caller's training runs with a history, the one seen last first (over HTTP only).

        Args:
            tenant: another caller's; with the right ``admin`` and none given, those of all.
        """
        rows: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await self._get_listing(runs_listing(cursor, tenant))
            rows, cursor = rows + page["runs"], page["cursor"]
        return rows

    async def get_usage(self, first: date | None = None, last: date | None = None) -> dict[str, Any]:
        """What API keys had scored: ``rows`` by UTC day and key, and today's ``budgets`` (over HTTP only).

        Args:
            first, last: the first and the last day; default: today.
        """
        return await self._get_listing(usage_listing(first, last))

    async def get_run(
        self, name: str | None = None, bucket: Bucket = "minute", *, after: int | None = None, tenant: str | None = None
    ) -> dict[str, Any]:
        """The history of a run: by recipe its ``versions``, and a ``series`` of rows (over HTTP only).

        Args:
            name: default: the run of this client, or the run of requests that name none.
            bucket: what a row is of: ``minute``, ``hour`` or ``step``.
            after: leave out rows whose ``t`` or ``step`` is not above it.
            tenant: another caller's, with the right ``admin``.

        Raises:
            NotFound: there is no such run.
        """
        return await self._get_listing(run_listing(self._run or "" if name is None else name, bucket, after, tenant))

    async def list_samples(
        self,
        *,
        run: str | None = None,
        recipe: str | None = None,
        kind: str | None = None,
        flags: Sequence[str] = (),
        mark: str | None = None,
        tenant: str | None = None,
        most: int | None = None,
    ) -> list[dict[str, Any]]:
        """Samples that the service kept, the newest first, with the right ``admin`` (over HTTP only).

        Args:
            run: the training run, whichever this client names; "": that of requests that name none.
            kind: reservoir, top, bottom, flagged, invalid, spread or disagreement.
            flags: that it has, all of them.
            mark: good, bad, hack or unmarked.
            tenant: one caller's.
            most: so many at most.
        """
        named = {"run": run, "recipe": recipe, "kind": kind, "flags": ",".join(flags) or None, "mark": mark}
        rows: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None and (most is None or len(rows) < most):
            page = await self._get_listing(samples_listing(cursor, {**named, "tenant": tenant}))
            rows, cursor = rows + page["samples"], page["cursor"]
        return rows[:most]

    async def ready(self) -> bool:
        """Whether the service is reachable, its models are loaded and it is not shutting down."""
        return await self._transport.ready(READY_S)

    async def close(self) -> None:
        """Release connections."""
        await self._transport.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """A client in another process is made of the same arguments; what was not given comes from its environment."""
        return partial(AsyncRewardClient, self.url, **self._arguments), ()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _send_score(self, body: dict[str, Any], arguments: Mapping[str, Any]) -> Scores:
        key, step = arguments.get("idempotency_key") or new_idempotency_key(), arguments.get("step")
        answer = await await_with_retries(
            lambda left_s: self._transport.score(body, left_s, key, step), arguments.get("timeout_s") or self.timeout_s
        )
        return Scores.of(answer)

    async def _score_batch(
        self, body: dict[str, Any], timeout_s: float | None, step: int | None
    ) -> AsyncIterator[tuple[int, SampleScore]]:
        scores = await self._send_score(body, {"timeout_s": timeout_s, "step": step})
        for i in range(len(scores)):
            yield i, scores[i]

    async def _follow_job(
        self, body: dict[str, Any], timeout_s: float | None, step: int | None
    ) -> AsyncIterator[tuple[int, SampleScore]]:
        """Submit a job and follow it; again where it was lost with a gateway that keeps none."""
        end = time.monotonic() + (timeout_s or self.timeout_s)
        unqueued = {**body, "options": {**body.get("options", {}), "queue": False}}
        for left in reversed(range(TRIES)):
            job = await self._submit(unqueued, {"timeout_s": max(end - time.monotonic(), 1e-3), "step": step})
            try:
                async for result in job.results(max(end - time.monotonic(), 1e-3)):
                    yield result.index, result
                return
            except NotFound:
                if not left:
                    raise
            except DeadlineExceeded:
                with contextlib.suppress(GatewayError):
                    await job.cancel()
                raise

    async def _submit(self, body: dict[str, Any], arguments: Mapping[str, Any]) -> AsyncJob:
        key = arguments.get("idempotency_key") or new_idempotency_key()
        accepted = await await_with_retries(
            lambda left_s: self._transport.call(Submit(body), left_s, key, arguments.get("step")),
            arguments.get("timeout_s") or self.timeout_s,
        )
        return AsyncJob(self, accepted.job, accepted)

    async def _get_listing(self, listing: str) -> dict[str, Any]:
        return await await_with_retries(lambda left_s: self._transport.get(listing, left_s), self.timeout_s)
