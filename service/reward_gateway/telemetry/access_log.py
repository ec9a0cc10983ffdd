"""The access log: one line per request, with names and numbers and never a text, for a share of all requests."""

import random

import structlog


class AccessLog:
    """Writes the line of each request.

    Args:
        share: share of the requests that are written at level info; the others are at level debug.
        source: numbers in [0, 1) that choose them.
    """

    def __init__(self, share: float, source: random.Random | None = None) -> None:
        self._share = share
        self._log = structlog.get_logger(__name__)
        self._draw = (source or random.Random()).random

    def write(
        self,
        protocol: str,
        route: str,
        status: str,
        seconds: float,
        *,
        failed: bool,
        probe: bool = False,
        key: str,
        run: str,
        trace_id: str,
    ) -> None:
        """Write the line of a request that was answered.

        Args:
            route: a template or a method's name, never a path as it was sent.
            failed: by a fault that is not the caller's: it is written whatever the share, as a warning; where the
                log is not asked for, repeats within seconds are left out (``suppressed``).
            probe: of a probe or a scrape, which would fill the self._log.
            key: the name of the caller's key, never the key.
        """
        line: dict[str, str | float] = {
            "protocol": protocol,
            "route": route,
            "status": status,
            "seconds": seconds,
            "key": key,
        }
        if run:
            line["run"] = run
        if trace_id:
            line["trace_id"] = trace_id
        chosen = not probe and self._draw() < self._share
        if failed and not chosen:
            self._log.warning("request", once_per=(route, status), **line)
        elif failed:
            self._log.warning("request", **line)
        elif chosen:
            self._log.info("request", **line)
        else:
            self._log.debug("request", **line)
