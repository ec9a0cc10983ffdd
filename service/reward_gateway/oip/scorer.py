"""Infer requests to a recipe: tensors to samples, the gateway, scores to tensors."""

from time import perf_counter_ns

from tritonclient.grpc import service_pb2 as pb

from reward_gateway.errors import InvalidRequest
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.intake.batch_builder import BatchBuilder
from reward_gateway.sample import Scored
from reward_gateway.scoring.request_scope import NO_SCOPE, RequestScope
from reward_gateway.settings import Settings

from .input_layouts import InputLayout, layout_of
from .models import VERSION
from .statistics import ModelCounts
from .tensors import Tensor, inputs_of
from .tokens import Detokeniser


class Scorer:
    """Answers infer requests by recipes. Raises OSError where the tokenizer that is set cannot be read."""

    def __init__(self, gateway: Gateway, settings: Settings) -> None:
        self._gateway = gateway
        self._builder = BatchBuilder(settings)
        self._limits = self._builder.limits
        self._detokeniser = Detokeniser.load(settings.oip_tokenizer)

    async def infer(
        self,
        request: "pb.ModelInferRequest",
        reward: str,
        deadline: float,
        counts: ModelCounts,
        scope: RequestScope = NO_SCOPE,
    ) -> "pb.ModelInferResponse":
        """One answer.

        Raises:
            InvalidRequest: tensors that no form of request has, or that do not hold what they say.
            TooLarge: more samples or longer texts than the limits allow.
            GatewayError: as :meth:`reward_gateway.gateway.Gateway.score`; in the forms without ``valid`` also for
                the first sample that has no reward.
        """
        began = perf_counter_ns()
        self._limits.name(len(request.id), "id")
        inputs = inputs_of(request)
        for tensor in inputs.values():
            self._limits.samples(_rows(tensor), tensor.where)
        form = layout_of(inputs)
        wanted = _wanted(request, form)
        columns_read, unreadable = await form.read(inputs, self._detokeniser)
        batch = await self._builder.make_of_columns(columns_read)
        batch.invalid = unreadable | batch.invalid
        read = perf_counter_ns()
        columns: list[tuple[str, bytes]] = []
        options = ScoreOptions(
            on_invalid="fail" if form.fails else None,
            explain=False,
            deadline=deadline,
            scope=scope,
            accept=lambda scored: columns.extend(_columns(form, wanted, scored)),
        )
        scored = await self._gateway.score(batch, reward, options)
        if not columns:  # a repeat, which is answered by what was recorded
            columns = _columns(form, wanted, scored)
        done = perf_counter_ns()
        answer = _answer(request, form, columns, len(scored.reward))
        counts.succeeded(batch.size, read - began, done - read, perf_counter_ns() - done)
        return answer


def _rows(tensor: Tensor) -> int:
    return tensor.shape[0] if tensor.shape else 0


def _wanted(request: "pb.ModelInferRequest", form: InputLayout) -> list[str]:
    """Names of the outputs to send, in the order asked for. Raises InvalidRequest."""
    for i, output in enumerate(request.outputs):
        where = f"outputs[{i}]"
        if output.name not in form.outputs:
            message = f"{where}.name: these inputs are answered by {' and '.join(form.outputs)}"
            raise InvalidRequest(message, param=f"{where}.name")
        for parameter in ("classification", "shared_memory_region"):
            if parameter in output.parameters:
                message = f"{where}.parameters: {parameter} is not served for recipes"
                raise InvalidRequest(message, param=f"{where}.parameters.{parameter}")
    return [output.name for output in request.outputs] or list(form.outputs)


def _columns(form: InputLayout, wanted: list[str], scored: Scored) -> list[tuple[str, bytes]]:
    """Name and bytes of each output [n, 1]. Raises Unscorable for a reward that this client's tensor cannot hold."""
    return [(name, form.outputs[name].make(scored).tobytes()) for name in wanted]


def _answer(
    request: "pb.ModelInferRequest", form: InputLayout, columns: list[tuple[str, bytes]], rows: int
) -> "pb.ModelInferResponse":
    response = pb.ModelInferResponse(model_name=request.model_name, model_version=VERSION, id=request.id)
    for name, content in columns:
        response.outputs.add(name=name, datatype=form.outputs[name].datatype, shape=(rows, 1))
        response.raw_output_contents.append(content)
    return response
