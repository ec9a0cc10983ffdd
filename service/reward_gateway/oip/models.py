"""Recipes as models: what each says of its tensors, as metadata and as a Triton model configuration."""

from dataclasses import dataclass

from tritonclient.grpc import model_config_pb2, service_pb2

from reward_gateway.sample.fields import FIELDS

from .datatypes import DATATYPES

PLATFORM = "reward_gateway"
VERSION = "1"
"""The one version of a recipe as a model; what a recipe is made of has its own, in ``GET /v1/rewards``."""

NEMO = "reward_model"
"""NeMo-Aligner's name of its reward server: the default recipe, in NeMo-Aligner's tensors."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or an output of a model; ``dims`` without the batch."""

    name: str
    datatype: str
    dims: tuple[int, ...] = (1,)
    optional: bool = False


@dataclass(frozen=True, slots=True)
class VirtualModel:
    """A model that this gateway answers itself."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def metadata(self) -> "service_pb2.ModelMetadataResponse":
        """Tensors with the batch as their first length."""
        tensor = service_pb2.ModelMetadataResponse.TensorMetadata
        inputs, outputs = (
            [tensor(name=port.name, datatype=port.datatype, shape=(-1, *port.dims)) for port in ports]
            for ports in (self.inputs, self.outputs)
        )
        return service_pb2.ModelMetadataResponse(
            name=self.name, versions=[VERSION], platform=PLATFORM, inputs=inputs, outputs=outputs
        )

    def config(self, max_batch: int) -> "model_config_pb2.ModelConfig":
        """As Triton describes a model that takes batches of up to ``max_batch`` samples, one answer a request."""
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


def recipe(name: str) -> VirtualModel:
    """A recipe: the fields of a sample in, a reward and whether it is one out."""
    return VirtualModel(
        name,
        inputs=tuple(
            Port(field.name, "BYTES", (-1,) if field.form == "media" else (1,), optional=field.name != "response")
            for field in FIELDS
            if field.tensor
        ),
        outputs=(Port("reward", "FP32"), Port("valid", "BOOL")),
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
