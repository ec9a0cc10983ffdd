"""The guide over a gateway in this process, and in a real Chromium."""

from tests.console.conftest import chromium, service, tab
from tests.http.conftest import serve, served

__all__ = ["chromium", "serve", "served", "service", "tab"]
