"""What the rows of a data set say about themselves, as metadata of their samples, by which recipes choose scorers."""

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from reward_gateway.sample.routing_keys import pick_routing_keys


def write_metadata(*rows: Any, without: Collection[str] = ()) -> Raw | UnsetType:
    """The metadata of a sample: what its rows say in short texts, numbers and booleans.

    Args:
        rows: mappings; the first that has a name counts. What is no mapping is passed over.
        without: names that are left out.
    """
    keys = pick_routing_keys(*rows, without=without)
    return Raw(msgspec.json.encode(keys)) if keys else UNSET
