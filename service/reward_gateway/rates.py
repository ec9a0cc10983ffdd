"""Rates as operators write them: ``600/minute``, ``10 per 2 seconds``."""

from limits import RateLimitItem, parse_many


def parse_rate(text: str) -> RateLimitItem:
    """The one rate that a text names. Raises ValueError."""
    try:
        rates = parse_many(text)
    except ValueError:
        rates = []
    if len(rates) != 1 or rates[0].amount < 1:
        raise ValueError("a rate is a number above 0 and a span of time, for example 600/minute")
    return rates[0]
