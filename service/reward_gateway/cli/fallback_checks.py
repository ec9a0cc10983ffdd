"""Whether the fallbacks of upstreams are served, and can stand in for them."""

from collections.abc import Container, Mapping

from reward_gateway.backends.upstreams.config import UpstreamConfig
from reward_gateway.backends.upstreams.file import UpstreamsFileError
from reward_gateway.backends.upstreams.rows import inputs_of
from reward_gateway.recipes.known_models import KnownModel, KnownModels, PartlyKnown, explain_fallback
from reward_gateway.sample import split_version


def describe_upstreams(upstreams: Mapping[str, UpstreamConfig]) -> dict[str, KnownModel]:
    """The models of upstreams whose servers need not run."""
    return {
        name: KnownModel(inputs_of(config), config.dimensions, fallback=config.fallback or "")
        for name, config in upstreams.items()
    }


def check_fallbacks(
    models: KnownModels | None,
    upstreams: Mapping[str, UpstreamConfig] | None = None,
    replaced: Container[str] = (),
) -> None:
    """Raise UpstreamsFileError if a fallback cannot stand in for its upstream, as far as is known.

    Args:
        models: those that are served; None: none is known yet.
        upstreams: entries that are about to be served.
        replaced: names of the upstreams that are served until then.
    """
    if models is None:
        return
    if upstreams is not None:
        others = {name: model for name, model in models.items() if name not in replaced}
        described = {**others, **describe_upstreams(upstreams)}
        models = PartlyKnown(described) if isinstance(models, PartlyKnown) else described
    faults = [
        f"upstreams.{name}.fallback: {fault}"
        for name in models
        if not split_version(name)[1] and (fault := explain_fallback(name, models))
    ]
    if faults:
        raise UpstreamsFileError(faults)
