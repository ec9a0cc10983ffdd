"""Names of models in requests and recipes."""


def split_version(model: str) -> tuple[str, str]:
    """Split ``NAME`` or ``NAME@VERSION`` into the name and the version; the version may be empty."""
    name, _, version = model.partition("@")
    return name, version
