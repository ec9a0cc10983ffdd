"""Models as they are asked for."""


def split_version(model: str) -> tuple[str, str]:
    """A model as it is asked for, ``NAME`` or ``NAME@VERSION``: the name, and the version or nothing."""
    name, _, version = model.partition("@")
    return name, version
