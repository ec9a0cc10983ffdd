"""Recipes as models: their tensors as model metadata and as a Triton model configuration."""

from collections.abc import Sequence
from dataclasses import dataclass

from tritonclient.grpc import model_config_pb2, service_pb2

from reward_gateway.sample.fields import FIELDS

from .datatypes import DATATYPES

PLATFORM = "reward_gateway"
VERSION = "1"
"""The model version of every recipe; the recipe's own version is in ``GET /v1/rewards``."""

NEMO = "reward_model"
"""NeMo-Aligner's name of its reward server: the default recipe, in NeMo-Aligner's tensors."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output tensor of a model; ``dims`` without the batch dimension."""

    name: str
    datatype: str
    dims: tuple[int, ...] = (1,)
    optional: bool = False


@dataclass(frozen=True, slots=True)
class VirtualModel:
    """A model that the gateway serves itself, rather than Triton."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def encode_metadata(self) -> "service_pb2.ModelMetadataResponse":
        """Model metadata; shapes begin with -1, the batch dimension."""
        tensor = service_pb2.ModelMetadataResponse.TensorMetadata
        inputs, outputs = (
            [tensor(name=port.name, datatype=port.datatype, shape=(-1, *port.dims)) for port in ports]
            for ports in (self.inputs, self.outputs)
        )
        return service_pb2.ModelMetadataResponse(
            name=self.name, versions=[VERSION], platform=PLATFORM, inputs=inputs, outputs=outputs
        )

    def encode_config(self, max_batch: int) -> "model_config_pb2.ModelConfig":
        """Model configuration: batches of up to ``max_batch`` samples, one response per request."""
        config = model_config_pb2.ModelConfig(
            name=self.name,
            platform=PLATFORM,
            backend=PLATFORM,
            max_batch_size=max_batch,
            version_policy={"latest": {"num_versions": 1}},
            model_transaction_policy={"decoupled": False},
            dynamic_batching={},
        )
        config.instance_group.add(name=self.name, kind=model_config_pb2.ModelInstanceGroup.KIND_CPU, count=1)
        for port in self.inputs:
            config.input.add(
                name=port.name, data_type=DATATYPES[port.datatype].config, dims=port.dims, optional=port.optional
            )
        for port in self.outputs:
            config.output.add(name=port.name, data_type=DATATYPES[port.datatype].config, dims=port.dims)
        return config


_SEVERAL = ("answer", "media")
"""Forms of fields of which a sample may have several, a column of the tensor for each."""


def recipe_model(name: str, *, grouped: bool, keys: Sequence[str] = ()) -> VirtualModel:
    """The model of a recipe: inputs are the fields of a sample, outputs ``reward`` and ``valid``.

    Args:
        grouped: it compares samples; then ``reward_raw`` is a further output.
        keys: of the metadata, by which it chooses what is computed; each is a further input.
    """
    raw = (Port("reward_raw", "FP32"),) if grouped else ()
    return VirtualModel(
        name,
        inputs=tuple(
            Port(
                field.name,
                "BYTES",
                (-1,) if field.form in _SEVERAL else (1,),
                optional=field.name != "response",
            )
            for field in FIELDS
            if field.tensor
        )
        + tuple(Port(key, "BYTES", optional=True) for key in keys),
        outputs=(Port("reward", "FP32"), Port("valid", "BOOL"), *raw),
    )


NEMO_MODEL = VirtualModel(
    NEMO,
    inputs=(
        Port("sentences", "BYTES", optional=True),
        Port("tokens", "INT64", (-1,), optional=True),
        Port("sequence_lengths", "INT64", optional=True),
    ),
    outputs=(Port("rewards", "FP32"), Port("exceeded", "BOOL")),
)
