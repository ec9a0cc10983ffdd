"""The right that a path needs."""

from reward_gateway.traffic.keys import Right

_STATE_PREFIXES = (
    "/v1/references",
    "/v1/calibrations",
    "/v1/state",
    "/v1/sets",
    "/v1/cohorts",
    "/v1/archives",
    "/v1/programs",
)


def right_for(path: str) -> Right:
    """The right that a path needs: named state, which may hold what others put there, has its own."""
    return "state" if path.startswith(_STATE_PREFIXES) else "score"
