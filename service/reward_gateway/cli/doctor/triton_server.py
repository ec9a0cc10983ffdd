"""Asks a Triton server, over gRPC, whether it and its models are ready."""

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException


def is_ready(url: str, timeout_s: float) -> bool:
    """Whether it answers that it is ready."""
    try:
        with InferenceServerClient(url) as client:
            return bool(client.is_server_ready(client_timeout=timeout_s))
    except InferenceServerException:
        return False


def list_ready(url: str, timeout_s: float) -> set[str] | None:
    """The models that are ready, as ``NAME`` and ``NAME@VERSION``; None if it does not answer."""
    try:
        with InferenceServerClient(url) as client:
            index = client.get_model_repository_index(client_timeout=timeout_s)
    except InferenceServerException:
        return None
    ready = [model for model in index.models if model.state == "READY"]
    return {name for model in ready for name in (model.name, f"{model.name}@{model.version}")}
