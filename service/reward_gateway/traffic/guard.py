"""The checks before a request is processed, in one object per process that HTTP and gRPC share."""

from dataclasses import dataclass
from typing import Self

from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.settings import Settings

from .admission import Admission
from .body_budget import BodyBudget
from .drain import Drain
from .keys import ANYBODY, ApiKey, KeyRing, Right, require_right
from .message_places import MessagePlaces
from .open_files import count_connections
from .process_board import ProcessBoard
from .rate_limiter import Breaker, KeyRateLimiter, SharedWindows
from .refusals import Refusals
from .websocket_places import WebSocketPlaces
from .worker_census import WorkerCensus


@dataclass(frozen=True, slots=True)
class Traffic:
    """API keys, rate limits, admission, the bytes of bodies and drain of one process.

    Attributes:
        messages: the messages that gRPC receives at once.
        websockets: the WebSockets that are open.
        refusals: the requests that this process refused lately.
        board: the processes that are alive, and what all of them refused.
        census: counts the processes that divide rates while Redis is unavailable; None if rates are not shared.
    """

    keys: KeyRing
    rate_limiter: KeyRateLimiter
    admission: Admission
    bodies: BodyBudget
    messages: MessagePlaces
    websockets: WebSocketPlaces
    drain: Drain
    refusals: Refusals
    board: ProcessBoard
    census: WorkerCensus | None = None

    @property
    def takes_anybody(self) -> bool:
        """Whether :meth:`identify_caller` has nothing to check: every caller is ``ANYBODY``, who has no rate."""
        return not self.keys.required and not self.rate_limiter.limits(ANYBODY)

    async def identify_caller(self, token: str | None, right: Right = "score") -> ApiKey:
        """Authenticate a caller and check its right and rate.

        Raises Unauthenticated, PermissionDenied or RateLimited.
        """
        key = self.keys.authenticate(token)
        require_right(key, right)
        await self.rate_limiter.check_rate(key)
        return key

    def start(self) -> None:
        """Start the background tasks; needs a running loop."""
        self.board.start()
        if self.census is not None:
            self.census.start()

    async def close(self) -> None:
        """Stop the background tasks and close the connections."""
        await self.board.close()
        if self.census is not None:
            await self.census.close()
        await self.rate_limiter.close()

    @classmethod
    def of(cls, settings: Settings, observer: Observer = UNOBSERVED, breaker: Breaker | None = None) -> Self:
        """Build from the settings.

        Args:
            breaker: circuit breaker for the rate windows in the state store; None: each worker enforces its share of
                a rate by itself.

        Raises:
            KeysFileError: the keys file cannot be used.
        """
        keys = KeyRing.load(settings.api_keys_file)
        admission = Admission(
            settings.max_in_flight,
            settings.max_queued,
            settings.queue_timeout_s,
            observer,
            max_queue_wait_s=settings.max_queue_wait_s,
        )
        bodies = BodyBudget(max(settings.max_body_bytes_in_flight, settings.max_body_bytes), observer)
        messages = MessagePlaces(
            max(4, settings.max_body_bytes_in_flight // settings.max_body_bytes),
            settings.max_in_flight + settings.max_queued,
            observer,
        )
        websockets = WebSocketPlaces(min(settings.max_websockets, max(2, count_connections(settings) // 2)), observer)
        drain, default, address = Drain(), settings.rate_limit, settings.state_address
        refusals = Refusals()
        board = ProcessBoard(admission, drain, refusals, address)
        if breaker is None or address is None or not (default or keys.required):  # keys with rates may be added later
            limiter = KeyRateLimiter(default, lambda: settings.workers, observer=observer)
            return cls(keys, limiter, admission, bodies, messages, websockets, drain, refusals, board)
        census = WorkerCensus(address, settings.workers)
        limiter = KeyRateLimiter(default, lambda: census.count, SharedWindows(address, breaker), observer)
        return cls(keys, limiter, admission, bodies, messages, websockets, drain, refusals, board, census)
