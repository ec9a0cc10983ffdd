"""openenv-core, OpenEnv's distribution up to 0.3: the same client, of an older version."""

from openenv_probe import parse, score

__all__ = ["PACKAGE", "parse", "score"]

PACKAGE = "openenv-core"
