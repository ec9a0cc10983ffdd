"""Models from outside the image: a folder, an object store, a web server or the hub, fetched whole, checked and put in
place at once (``reward-gateway models fetch``)."""

from reward_gateway.model_sources.failures import ContentRefused, FetchError, SourceFailed, SourceUnusable
from reward_gateway.model_sources.fetch import Fetched, Request, fetch_model

__all__ = ["ContentRefused", "FetchError", "Fetched", "Request", "SourceFailed", "SourceUnusable", "fetch_model"]
