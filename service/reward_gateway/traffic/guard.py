"""Everything a request passes at the door, in one object a process: HTTP and gRPC share it, and so its counters."""

from dataclasses import dataclass
from typing import Self

from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.settings import Settings

from .admission import Admission
from .drain import Drain
from .keys import ApiKey, KeyRing, Right, require
from .rates import Rates


@dataclass(frozen=True, slots=True)
class Traffic:
    """Keys, rates, admission and drain of one process."""

    keys: KeyRing
    rates: Rates
    admission: Admission
    drain: Drain

    def identify(self, token: str | None, right: Right = "score") -> ApiKey:
        """The caller, within its rights and its rate. Raises Unauthenticated, PermissionDenied or RateLimited."""
        key = self.keys.authenticate(token)
        require(key, right)
        self.rates.check(key)
        return key

    @classmethod
    def of(cls, settings: Settings, observer: Observer = UNOBSERVED) -> Self:
        """As the settings say. Raises KeysFileError."""
        admission = Admission(settings.max_in_flight, settings.max_queued, settings.queue_timeout_s, observer)
        return cls(
            KeyRing.load(settings.api_keys_file),
            Rates(settings.rate_limit, settings.workers),
            admission,
            Drain(admission),
        )
