"""Fetches the images that a batch names by URL: each URL once, with bounded concurrency, before the deadline.

Fetched images pass the same checks as uploaded ones. A URL without an image fails only the samples that name it.
"""

import asyncio
import ssl
from collections.abc import Callable, Collection
from dataclasses import replace
from time import perf_counter
from typing import Self

from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.sample import Batch, Media
from reward_gateway.scoring.fetched_media import FetchedMedia
from reward_gateway.settings import Settings

from ..media import MediaLimits, check_image
from ..media_faults import MediaFault
from .addresses import Address, is_public
from .failures import FetchFault, Outcome
from .getter import Getter
from .network import PublicNetwork, Resolve, resolve_host
from .urls import UrlRules

SHARE = 0.75
"""Share of the time until the deadline that fetching may take; the rest is for scoring."""

Place = tuple[list[Media], int, int]
"""A sample's images, which of them, and the sample's row."""


class Fetcher:
    """Fetches what batches name by address.

    Args:
        timeout_s: for one URL, redirects included.
        most: maximum URLs per request.
        most_bytes: maximum bytes per request, over all its URLs.
    """

    def __init__(
        self,
        getter: Getter,
        limits: MediaLimits,
        *,
        concurrency: int,
        timeout_s: float,
        most: int,
        most_bytes: int,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._getter = getter
        self._limits = limits
        self._turns = asyncio.Semaphore(concurrency)
        self._timeout_s = timeout_s
        self._most = most
        self._most_bytes = most_bytes
        self._observer = observer

    @classmethod
    def of(
        cls,
        settings: Settings,
        observer: Observer = UNOBSERVED,
        *,
        resolve: Resolve = resolve_host,
        public: Callable[[Address], bool] = is_public,
        trust: ssl.SSLContext | None = None,
    ) -> Self:
        """As the settings say."""
        network = PublicNetwork(settings.media_url_connect_s, resolve, public)
        rules = UrlRules(settings.media_url_http, settings.media_url_ports, settings.media_url_hosts)
        concurrency = settings.media_url_concurrency
        return cls(
            Getter(network, rules, settings.max_image_bytes, concurrency, trust),
            MediaLimits.of(settings),
            concurrency=concurrency,
            timeout_s=settings.media_url_timeout_s,
            most=settings.max_media_urls,
            most_bytes=settings.max_body_bytes,
            observer=observer,
        )

    async def fetch_media(
        self, batch: Batch, fields: Collection[str], deadline: float | None, fetched: FetchedMedia
    ) -> None:
        """Replace URLs by the bytes fetched from them; a sample whose URL gives no image becomes invalid.

        Args:
            fields: names of the fields of images that are read.
            deadline: of the request, on the loop's clock.
            fetched: what the request has fetched before; added to.
        """
        places = _find_addresses(batch, fields)
        if not places:
            return
        if deadline is not None:
            now = asyncio.get_running_loop().time()
            deadline = now + SHARE * (deadline - now)
        urls = [url for url in places if fetched.admit(url, self._most)]
        results = await asyncio.gather(*(self._fetch_once(url, fetched, deadline) for url in urls))
        for url, result in zip(urls, results, strict=True):
            _store_result(batch, places.pop(url), result)
        for remaining_places in places.values():
            fault = MediaFault(f"over the limit of {self._most} different addresses a request", "too_large")
            _store_result(batch, remaining_places, fault)

    async def _fetch_once(self, url: str, fetched: FetchedMedia, deadline: float | None) -> Media | MediaFault:
        """What an address holds; who reads it while it is fetched, or afterwards, has the same.

        Who has more time than the one that fetches it tries again where that one was late.
        """
        while (running := fetched.results.get(url)) is not None:
            try:
                async with asyncio.timeout_at(deadline):
                    found: Media | MediaFault = await asyncio.shield(running)
            except TimeoutError:
                return _be_late()
            if not _is_late(found):
                return found
        own = fetched.results[url] = asyncio.get_running_loop().create_future()
        result: Media | MediaFault = _be_late()
        try:
            result = await self._fetch_one(url, _Budget(self._most_bytes, fetched), deadline)
            return result
        finally:
            if _is_late(result):
                del fetched.results[url]
            own.set_result(result)

    async def _fetch_one(self, url: str, budget: "_Budget", deadline: float | None) -> Media | MediaFault:
        started, size = perf_counter(), 0
        outcome: Outcome = "cancelled"
        try:
            async with asyncio.timeout_at(deadline), self._turns:
                data = await self._get_in_time(url, budget)
                size = len(data)
                media = await asyncio.to_thread(check_image, data, self._limits)
            outcome = "ok"
            return media
        except TimeoutError:
            outcome = "deadline"
            return _be_late()
        except MediaFault as fault:
            outcome = fault.outcome if isinstance(fault, FetchFault) else "invalid"
            return fault
        finally:
            self._observer.media_fetched(outcome, size, perf_counter() - started)

    async def _get_in_time(self, url: str, budget: "_Budget") -> bytes:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._getter.get(url, budget.count_bytes)
        except TimeoutError:
            raise FetchFault(f"not there within {self._timeout_s:g} s", outcome="timeout") from None

    async def close(self) -> None:
        await self._getter.close()


class _Budget:
    """Bytes that one request may still fetch."""

    def __init__(self, size: int, fetched: FetchedMedia) -> None:
        self._size, self._fetched = size, fetched

    def count_bytes(self, size: int) -> None:
        """Count bytes that arrived. Raises FetchFault once they are too many."""
        self._fetched.size += size
        if self._fetched.size > self._size:
            sentence = f"over the limit of {self._size} bytes that are fetched for a request"
            raise FetchFault(sentence, outcome="too_large", code="too_large")


def _be_late() -> MediaFault:
    return MediaFault("not there in time for the deadline", "deadline_exceeded")


def _is_late(result: Media | MediaFault) -> bool:
    return isinstance(result, MediaFault) and result.code == "deadline_exceeded"


def _find_addresses(batch: Batch, fields: Collection[str]) -> dict[str, list[Place]]:
    """Where each address stands, in samples that may still be scored."""
    places: dict[str, list[Place]] = {}
    for column in (batch.column(field) for field in fields):
        for row, items in enumerate(column or ()):
            for k, item in enumerate(items):
                if item.data is None and item.url is not None and row not in batch.invalid:
                    places.setdefault(item.url, []).append((items, k, row))
    return places


def _store_result(batch: Batch, places: list[Place], result: Media | MediaFault) -> None:
    for items, k, row in places:
        if isinstance(result, Media):
            items[k] = replace(result, param=items[k].param)
        else:
            batch.invalid.setdefault(row, result.at(items[k].param))
