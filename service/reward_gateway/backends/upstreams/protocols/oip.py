"""The Open Inference Protocol, over HTTP with JSON or over gRPC: Triton, KServe, OpenVINO; tensors mapped by name."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
from tritonclient.grpc import service_pb2

from reward_gateway.sample import Invalid

from ..config import UpstreamConfig
from ..entry_parts import Tensors
from ..failures import Refused
from ..replica import LOOK_S, Replica
from ..rows import Question
from ..tokens import TextTokens
from .base import CallContent, RowAnswers, UpstreamProtocol
from .oip_tensors import NOT_IN_JSON, InputTensor, TensorForm, explain_type, read_json, read_message


class OpenInference(UpstreamProtocol):
    """``ModelInfer`` with the entry's tensors, answered by tensors [n] or [n, k] of any numeric type.

    Inputs are texts (BYTES), features or tokens; [n, k], as Triton's batching has them, or [n] where the model's
    metadata says so, which also tells the types of numbers. The numbers of several outputs are taken in their order.
    """

    def __init__(self, config: UpstreamConfig) -> None:
        super().__init__(config)
        assert config.tensors is not None
        self._tensors: Tensors = config.tensors
        self._path = f"/v2/models/{quote(config.model, safe='')}"
        self._forms: dict[str, TensorForm] = {}
        tokens = TextTokens.of(config)
        self._pad = tokens.pad if tokens is not None else 0

    @property
    def batches(self) -> bool:
        """Texts of different lengths make no tensor of tokens, unless a mask says which are padding."""
        return "input_ids" not in self._tensors.inputs or "attention_mask" in self._tensors.inputs

    @property
    def _outputs(self) -> list[str]:
        return [*self._tensors.outputs, *filter(None, [self._tensors.valid])]

    def _make_inputs(self, questions: Sequence[Question]) -> dict[str, InputTensor]:
        """The inputs by the tensors' names. Raises Refused."""
        try:
            return {
                tensor: InputTensor(holds, self._forms.get(tensor), questions, self._pad)
                for holds, tensor in self._tensors.inputs.items()
            }
        except ValueError as error:
            raise Refused(Invalid("invalid_field", f"The model does not take it: {error}."), rows=True) from None

    # HTTP

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        inputs = [
            {"name": name, "datatype": tensor.datatype, "shape": tensor.shape, "data": tensor.to_json()}
            for name, tensor in self._make_inputs(questions).items()
        ]
        outputs = [{"name": name} for name in self._outputs]
        return CallContent(f"{self._path}/infer", {"inputs": inputs, "outputs": outputs})

    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        read = read_message if isinstance(answer, service_pb2.ModelInferResponse) else read_json
        n = len(questions)
        values = np.hstack([read(answer, name).reshape(n, -1) for name in self._tensors.outputs])
        if self._tensors.valid is not None:
            values[read(answer, self._tensors.valid).reshape(n) == 0] = np.nan
        return RowAnswers(values)

    async def read_identity(self, replica: Replica) -> str:
        """The model's versions and platform; a Triton's configuration tells the version of its content, too.

        Raises Refused if its tensors are not those of the entry.
        """
        if replica.grpc is not None:
            return await self._read_message_identity(replica)
        metadata = await replica.get(self._path)
        config = await replica.get(f"{self._path}/config")
        if not isinstance(metadata, dict):
            return ""
        self._note_tensors(metadata.get("inputs") or (), metadata.get("outputs") or (), over_json=replica.name)
        words = [str(metadata.get("platform", "")), *map(str, metadata.get("versions") or ())]
        if isinstance(config, dict):
            _note_most_rows(replica, config.get("max_batch_size"))
            parameters = config.get("parameters")
            if isinstance(parameters, dict) and isinstance(content := parameters.get("content_version"), dict):
                words.append(str(content.get("string_value", "")))
        return " ".join(words)

    def _note_tensors(
        self, inputs: Iterable[Mapping[str, Any]], outputs: Iterable[Mapping[str, Any]], over_json: str = ""
    ) -> None:
        """Keep the types and shapes of the inputs. Raises Refused if the entry's do not fit; ``over_json`` names the
        server where it answers in JSON."""
        forms = {
            entry["name"]: TensorForm(str(entry.get("datatype")), len(entry.get("shape") or (-1, 1)) == 1)
            for entry in inputs
        }
        for holds, tensor in self._tensors.inputs.items():
            if tensor in forms and (fault := explain_type(holds, forms[tensor].datatype)):
                raise Refused(Invalid("model_error", f"Its tensor {tensor} {fault}."))
        types = {name: form.datatype for name, form in forms.items()}
        types |= {entry["name"]: str(entry.get("datatype")) for entry in outputs}
        for tensor in (*self._tensors.inputs.values(), *self._outputs) if over_json else ():
            if types.get(tensor) in NOT_IN_JSON:
                words = f"Its tensor {tensor} is {types[tensor]}, which JSON does not hold: name it by grpc://."
                raise Refused(Invalid("model_error", words))
        self._forms = forms

    # gRPC

    async def ask(self, replica: Replica, questions: Sequence[Question], timeout_s: float) -> RowAnswers:
        if replica.grpc is None:
            return await super().ask(replica, questions, timeout_s)
        request = service_pb2.ModelInferRequest(model_name=self.config.model)
        inputs = self._make_inputs(questions)
        as_bytes = any(tensor.datatype != "BYTES" for tensor in inputs.values())  # all or none, says the protocol
        for name, tensor in inputs.items():
            entry = request.inputs.add(name=name, datatype=tensor.datatype, shape=tensor.shape)
            if as_bytes:
                request.raw_input_contents.append(tensor.to_bytes())
            else:
                entry.contents.bytes_contents.extend(text.encode() for text in tensor.to_json())
        for output in self._outputs:
            request.outputs.add(name=output)
        answer = await replica.grpc.call(replica.name, "ModelInfer", request, timeout_s)
        return self.check_answer(replica.name, answer, questions)

    async def _read_message_identity(self, replica: Replica) -> str:
        assert replica.grpc is not None
        request = service_pb2.ModelMetadataRequest(name=self.config.model)
        try:
            metadata = await replica.grpc.call(replica.name, "ModelMetadata", request, LOOK_S)
        except Refused:
            return ""
        inputs, outputs = (
            [{"name": entry.name, "datatype": entry.datatype, "shape": entry.shape} for entry in entries]
            for entries in (metadata.inputs, metadata.outputs)
        )
        self._note_tensors(inputs, outputs)
        words = [metadata.platform, *metadata.versions]
        try:
            request = service_pb2.ModelConfigRequest(name=self.config.model)
            config = (await replica.grpc.call(replica.name, "ModelConfig", request, LOOK_S)).config
        except Refused:
            return " ".join(filter(None, words))  # an extension that not every server has
        _note_most_rows(replica, config.max_batch_size)
        words.append(config.parameters["content_version"].string_value)
        return " ".join(filter(None, words))


def _note_most_rows(replica: Replica, told: Any) -> None:
    """Keep how many rows a call may have; a Triton's 0 says that the model has no batches of Triton's making."""
    replica.most_rows = told if isinstance(told, int) and told > 0 else None
