"""Where the reference rewards of a model are stored."""

from reward_gateway.sample import split_version


def references_address(model: str, version: str | None, dimension: str | None = None) -> str:
    """Name under which a model's reference rewards are stored, one per version as scores of versions differ.

    Args:
        dimension: name of a further number that the model gives; None: its first or only one.
    """
    name = split_version(model)[0]
    return f"{name}@{version}" if dimension is None else f"{name}:{dimension}@{version}"
