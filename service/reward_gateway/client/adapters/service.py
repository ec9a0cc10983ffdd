"""The service and recipe of an adapter, from keyword arguments or the environment.

Batches are sent by one client per process, shared by threads and independent of event loops; single samples by one
client per event loop, which sends concurrent calls as one request. A forked worker creates its own clients.
"""

import asyncio
import contextlib
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self
from urllib.parse import quote
from weakref import WeakKeyDictionary

from reward_gateway.client import AsyncRewardClient, RewardClient, SampleScore
from reward_gateway.client.jobs import TRIES
from reward_gateway.client.sync import DEFAULT_URL
from reward_gateway.errors import DeadlineExceeded, GatewayError, NotFound

Sample = Mapping[str, Any]


class Unscored(RuntimeError):
    """A sample has no reward, and the trainer accepts no placeholder."""


@dataclass(frozen=True, slots=True)
class Service:
    """One recipe of one running service.

    Attributes:
        url: ``http(s)://…`` or ``grpc(s)://…``.
        reward: name of the recipe; None: the service's default.
        api_key: sent where there is one.
        run: the training run, to which cohorts, streams and archives belong.
        timeout_s: seconds for an answer, waiting for a service that is down or busy included.
        jobs: samples are scored by jobs, which nothing is held for while they are waited for.
        chat_format: how the service reads texts that a chat template rendered back into messages; None: the trainer
            hands over none, and texts are taken as they are.
    """

    url: str
    reward: str | None
    api_key: str | None
    timeout_s: float
    run: str | None = None
    chat_format: str | None = None
    jobs: bool = False

    @classmethod
    def of(
        cls,
        url: str | None = None,
        reward: str | None = None,
        api_key: str | None = None,
        timeout_s: float | str | None = None,
        *,
        run: str | None = None,
        longest_s: float | None = None,
        rendered: bool = False,
        jobs: bool | None = None,
    ) -> Self:
        """What is given, else ``REWARD_GATEWAY_{URL,REWARD,API_KEY,TIMEOUT_S,RUN,JOBS}``, else this machine and 120 s.

        Args:
            jobs: score by jobs; ``REWARD_GATEWAY_JOBS`` is 1 for it.
            longest_s: the trainer's own timeout, an upper bound of every setting.
            rendered: prompts or responses may be texts of the policy's chat template, or of its tokeniser with special
                tokens. The recipe says how they are read, or ``REWARD_GATEWAY_CHAT_FORMAT``.
        """
        wanted_s = float(timeout_s or os.environ.get("REWARD_GATEWAY_TIMEOUT_S") or 120.0)
        return cls(
            url or os.environ.get("REWARD_GATEWAY_URL") or DEFAULT_URL,
            reward or os.environ.get("REWARD_GATEWAY_REWARD") or None,
            api_key or os.environ.get("REWARD_GATEWAY_API_KEY") or None,
            wanted_s if longest_s is None else min(wanted_s, longest_s),
            run or os.environ.get("REWARD_GATEWAY_RUN") or None,
            (os.environ.get("REWARD_GATEWAY_CHAT_FORMAT") or "recipe") if rendered else None,
            os.environ.get("REWARD_GATEWAY_JOBS") == "1" if jobs is None else jobs,
        )

    def score(self, samples: Sequence[Sample], step: int | None = None) -> list[SampleScore]:
        """Score a batch: one request, or as many as the service's limit asks for; or one job.

        Args:
            step: the trainer's, if it is known.

        Raises:
            GatewayError: one of them failed.
        """
        client = _process_client(os.getpid(), self.url, self.api_key, self.run)
        end = time.monotonic() + self.timeout_s
        if self.jobs:
            return self._score_by_job(client, samples, end, step)
        scored: list[SampleScore] = []
        for piece in _split_batch(samples):
            left_s = max(end - time.monotonic(), 1e-3)
            scores = client.score_samples(
                piece, reward=self.reward, chat_format=self.chat_format, timeout_s=left_s, step=step
            )
            scored.extend(scores[i] for i in range(len(scores)))
        return scored

    def _score_by_job(
        self, client: RewardClient, samples: Sequence[Sample], end: float, step: int | None
    ) -> list[SampleScore]:
        """Submit a job and wait for it; again where it was lost with a gateway that keeps none."""
        for left in reversed(range(TRIES)):
            left_s = max(end - time.monotonic(), 1e-3)
            job = client.submit_samples(
                samples, reward=self.reward, chat_format=self.chat_format, queue=False, timeout_s=left_s, step=step
            )
            try:
                scores = job.result(max(end - time.monotonic(), 1e-3))
                return [scores[i] for i in range(len(scores))]
            except NotFound:
                if not left:
                    raise
            except DeadlineExceeded:
                with contextlib.suppress(GatewayError):
                    job.cancel()
                raise
        raise GatewayError("no job was submitted")

    async def score_soon(self, samples: Sequence[Sample], step: int | None = None) -> list[SampleScore]:
        """The same, from a coroutine."""
        return await asyncio.to_thread(self.score, samples, step)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of a dialect to a JSON body, asked with this recipe. Raises GatewayError; needs HTTP."""
        query = f"{path}?reward={quote(self.reward, safe='')}" if self.reward else path
        client = _process_client(os.getpid(), self.url, self.api_key, self.run)
        return client.post(query, body, timeout_s=self.timeout_s)

    async def score_one(self, sample: Sample, step: int | None = None) -> SampleScore:
        """Score one sample, together with those that others on this event loop ask for now."""
        client = _loop_client(self.url, self.api_key, self.run)
        return await client.score_one(
            None,
            None,
            sample=sample,
            job=self.jobs,
            reward=self.reward,
            chat_format=self.chat_format,
            timeout_s=self.timeout_s,
            step=step,
        )


class RecipeScorer:
    """Base of the classes that evaluation frameworks are given: they score by one recipe of a service.

    Args:
        recipe: its name. What is not given comes from the environment.
    """

    def __init__(
        self,
        recipe: str | None = None,
        url: str | None = None,
        api_key: str | None = None,
        timeout_s: float | None = None,
    ) -> None:
        self._service = Service.of(url, recipe, api_key, timeout_s)


LARGEST = 4096
"""Samples of one request: what the service takes unless its operator says otherwise."""

_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str | None, str | None], AsyncRewardClient]]
_clients = WeakKeyDictionary()


def _split_batch(samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    """Stretches that one request takes; samples of one prompt that stand together stay together if they can."""
    start = 0
    while start < len(samples) or not start:
        end = cut = min(start + LARGEST, len(samples))
        while start < cut < len(samples) and _group_key(samples[cut - 1]) == _group_key(samples[cut]):
            cut -= 1
        end = cut if cut > start else end
        yield samples[start:end]
        start = max(end, 1)


def _group_key(sample: Sample) -> Any:
    return sample.get("group"), sample.get("prompt")


@lru_cache
def _process_client(process: int, url: str, api_key: str | None, run: str | None) -> RewardClient:
    return RewardClient(url, api_key=api_key, run=run)


def _loop_client(url: str, api_key: str | None, run: str | None) -> AsyncRewardClient:
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    if (url, api_key, run) not in clients:
        clients[url, api_key, run] = AsyncRewardClient(url, api_key=api_key, run=run)
    return clients[url, api_key, run]


def require_number(one: SampleScore) -> float:
    """The reward that the recipe answers. Raises Unscored, with the reason, where there is none."""
    number = optional_number(one)
    if number is None:
        why = explain_failure(one)
        raise Unscored(why if one.valid else f"a sample could not be scored ({why})")
    return number


def optional_number(one: SampleScore) -> float | None:
    """The reward that the recipe answers, None where there is none."""
    return one.answered if one.valid and math.isfinite(one.answered) else None


def explain_failure(one: SampleScore) -> str:
    """Why a sample has no reward: code and message."""
    if one.valid:
        return "the recipe gives no single number for a sample; trainers need one"
    return f"{one.error.code}: {one.error.message}" if one.error else "no reason given"


def require_numbers(scored: Sequence[SampleScore]) -> list[float]:
    """The rewards. Raises Unscored, with the first reason, where one is missing."""
    return [require_number(one) for one in scored]


def optional_numbers(scored: Sequence[SampleScore]) -> list[float | None]:
    """The rewards, None where there is none."""
    return [optional_number(one) for one in scored]


def is_temporary(error: GatewayError) -> bool:
    """Whether the same call may succeed later: the service is away, busy or slow, and the call itself is right."""
    return error.status >= 500 or error.status == 429


def find_step(trainer_state: Any) -> int | None:
    """The step under which one of Hugging Face's trainers will log what is scored now (it counts those that are done);
    None: it hands over no state."""
    done = getattr(trainer_state, "global_step", None)
    return done + 1 if isinstance(done, int) else None
