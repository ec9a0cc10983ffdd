"""Where the reference rewards of a model are stored."""

from reward_gateway.sample import split_version


def references_address(model: str, version: str | None) -> str:
    """Name under which a model's reference rewards are stored, one per version as scores of versions differ."""
    return f"{split_version(model)[0]}@{version}"
