"""Flags: what stands in ``flags`` of a result, from the set of flags and the registered guards."""

from reward_gateway.operations.guards import GUARDS
from reward_gateway.sample.flags import MEANINGS

from ..tables import write_code, write_phrase, write_table

_HEAD = """# Flags

Look up what a flag of a result means.

A flag marks a sample as suspicious or unusual; by itself it changes no reward. `flags` of a result lists them. Other
servers' APIs have no place for flags: there, the header `X-Reward-Flags` has them, for example
`0:out_of_distribution;3:truncated,empty_response` (place of the sample in the request, from 0, and its flags).

> [!TIP]
> To exclude flagged samples, give the guard an action in the recipe: `guards: [{master_key: {action: invalid}}]`.
> `zero` makes the reward 0, `invalid` leaves the sample without one, and `flag` (the default) only flags.
"""

_GUARDS = """## Flags of guards

A guard flags samples by its own name, in recipes that list it under `guards`. [The page of recipes](/pages/rewards)
describes the guards' parameters.
"""


def write_page() -> str:
    """The page: a table of the gateway's own flags, and one of the guards'."""
    own = [(write_code(name), write_phrase(text)) for name, text in sorted(MEANINGS.items())]
    guards = [(write_code(name), write_phrase(guard.summary)) for name, guard in sorted(GUARDS.items())]
    return "\n".join(
        (
            _HEAD,
            "## Flags of the gateway\n",
            write_table(("flag", "what it means"), own),
            _GUARDS,
            write_table(("flag", "raised where"), guards),
        )
    )
