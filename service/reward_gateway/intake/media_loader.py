"""The last check before a model: every image of a batch has been read by its header, and addresses have become images.

Edges check what they decode. What comes another way, as the images that single operations take, is checked here.
"""

import asyncio
from collections.abc import Collection

from reward_gateway.sample import Batch, Invalid, Media
from reward_gateway.scoring.fetched_media import FetchedMedia

from .fetch.fetcher import Fetcher
from .media import MediaLimits, from_bytes


class Intake:
    """Makes the media of a batch ready for models.

    Args:
        fetcher: fetches images by URL; None: URLs are not fetched.
    """

    def __init__(self, limits: MediaLimits, fetcher: Fetcher | None = None) -> None:
        self._limits = limits
        self._fetcher = fetcher

    async def fill(self, batch: Batch, fields: Collection[str], deadline: float | None, fetched: FetchedMedia) -> None:
        """Check unchecked image bytes, and fetch images named by URL.

        A sample with an image that cannot be used becomes invalid.

        Args:
            fields: names of the fields of images that are read.
            deadline: of the request, on the loop's clock.
            fetched: what the request has fetched before.
        """
        unread = [
            (items, k, row, item.param or f"{field}[{k}]")
            for field in fields
            for row, items in enumerate(batch.column(field) or ())
            for k, item in enumerate(items)
            if item.data is not None and item.digest is None and row not in batch.invalid
        ]
        if unread:
            results = await asyncio.to_thread(self._check_images, [(items[k], param) for items, k, _, param in unread])
            for (items, k, row, _), media in zip(unread, results, strict=True):
                if isinstance(media, Invalid):
                    batch.invalid.setdefault(row, media)
                else:
                    items[k] = media
        if self._fetcher is not None:
            await self._fetcher.fetch_media(batch, fields, deadline, fetched)

    def _check_images(self, media: list[tuple[Media, str]]) -> list[Media | Invalid]:
        return [from_bytes(item.data or b"", param, self._limits) for item, param in media]

    async def close(self) -> None:
        if self._fetcher is not None:
            await self._fetcher.close()
