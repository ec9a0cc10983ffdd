"""Inference with a recipe: decode tensors into samples, score them, encode the scores as tensors."""

import asyncio
from collections.abc import Collection, Mapping
from functools import partial
from time import perf_counter_ns
from typing import NamedTuple

from tritonclient.grpc import service_pb2 as pb

from reward_gateway.errors import InvalidRequest
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.intake.batch_builder import BatchBuilder
from reward_gateway.intake.chat_text import TextReading, read_columns
from reward_gateway.sample import Batch, Scored
from reward_gateway.sample.flags import format_flags
from reward_gateway.scoring.fixed_scores import FixedScores
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.scoring.request_scope import NO_SCOPE, RequestScope
from reward_gateway.settings import Settings

from .batch_reading import complete_batch, read_batch, takes_long_to_read
from .input_layouts import InputLayout, find_layout
from .models import VERSION
from .statistics import ModelCounts
from .tensors import Tensor, read_inputs
from .tokens import Detokeniser


class Inference(NamedTuple):
    """The answer to a request.

    Attributes:
        fixed: the scores that it tells, where the same request would get the same answer again; else None.
    """

    response: "pb.ModelInferResponse"
    fixed: FixedScores | None = None


class Scorer:
    """Answers infer requests with recipes. Raises OSError if the configured tokenizer cannot be read."""

    def __init__(self, gateway: Gateway, settings: Settings) -> None:
        self._gateway = gateway
        self._settings = settings
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
        chat_format: str | None = None,
    ) -> "Inference":
        """The answer to one request.

        Args:
            chat_format: the request's own choice: how texts are read that a chat template rendered. Without it, prompts
                and responses in fields of their own are taken as they are.

        Raises:
            InvalidRequest: the inputs match no layout, or do not match their shapes and datatypes.
            TooLarge: more samples or longer texts than the limits allow.
            GatewayError: as :meth:`reward_gateway.gateway.Gateway.score`; in layouts without ``valid`` also for
                the first sample without a reward.
        """
        began = perf_counter_ns()
        self._limits.name(len(request.id), "id")
        inputs = read_inputs(request)
        for tensor in inputs.values():
            self._limits.samples(_count_rows(tensor), tensor.where)
        layout = find_layout(inputs)
        plan = self._gateway.get_plan(reward)
        outputs = layout.outputs_of(grouped=plan.grouped)
        output_names = _select_outputs(request, outputs)
        rendered = layout.whole_texts or chat_format is not None
        reading = TextReading.of(plan, self._settings, chat_format) if rendered else None
        batch = await self._read_batch(inputs, layout, reading, deadline)
        read = perf_counter_ns()
        columns: list[tuple[str, bytes]] = []
        options = ScoreOptions(
            on_invalid="fail" if layout.fails else None,
            explain=False,
            deadline=deadline,
            scope=scope,
            accept=lambda scored: columns.extend(_encode_columns(layout, output_names, scored)),
        )
        scored = await self._gateway.score(batch, reward, options)
        if not columns:  # a repeat, which is answered by what was recorded
            columns = _encode_columns(layout, output_names, scored)
        done = perf_counter_ns()
        answer = _encode_response(request, layout, columns, len(scored.reward))
        if scored.flags and (flags := format_flags({1: (batch.size, scored.flags)})):
            answer.parameters["flags"].string_param = flags
        counts.add_success(batch.size, read - began, done - read, perf_counter_ns() - done)
        return Inference(answer, options.fixed)

    async def _read_batch(
        self, inputs: Mapping[str, Tensor], layout: InputLayout, reading: TextReading | None, deadline: float
    ) -> Batch:
        """The samples of a request; read in a worker process if that takes long.

        Args:
            reading: of texts that are rendered; None: texts are taken as they are.
        """
        if not layout.needs_tokenizer and takes_long_to_read(inputs.values()):
            read: Batch = await self._gateway.runtime.compute(
                partial(read_batch, self._builder, reading, inputs), b"", RequestContext(deadline)
            )
            return read
        detokeniser = self._detokeniser
        if detokeniser is not None and reading is not None:
            detokeniser = detokeniser.for_format(reading.choice)
        columns, unreadable = await layout.read(inputs, detokeniser)
        if reading is None:
            longest = None if layout.needs_tokenizer else max([len(tensor.raw) for tensor in inputs.values()])
            return complete_batch(await self._builder.make_of_columns(columns, longest), unreadable)
        noticed = await asyncio.to_thread(read_columns, columns, reading) if layout.whole_texts else None
        batch = await self._builder.make_of_columns(columns)
        return await asyncio.to_thread(complete_batch, batch, unreadable, reading, noticed)


def _count_rows(tensor: Tensor) -> int:
    return tensor.shape[0] if tensor.shape else 0


def _select_outputs(request: "pb.ModelInferRequest", outputs: Collection[str]) -> list[str]:
    """Names of the outputs to return, in the requested order. Raises InvalidRequest."""
    for i, output in enumerate(request.outputs):
        where = f"outputs[{i}]"
        if output.name not in outputs:
            message = f"{where}.name: these inputs are answered by {' and '.join(outputs)}"
            raise InvalidRequest(message, param=f"{where}.name")
        for parameter in ("classification", "shared_memory_region"):
            if parameter in output.parameters:
                message = f"{where}.parameters: {parameter} is not supported for recipes"
                raise InvalidRequest(message, param=f"{where}.parameters.{parameter}")
    return [output.name for output in request.outputs] or list(outputs)


def _encode_columns(layout: InputLayout, output_names: list[str], scored: Scored) -> list[tuple[str, bytes]]:
    """Name and bytes of each output [n, 1]. Raises Unscorable for a reward that is not finite there."""
    return [(name, layout.outputs[name].make(scored).tobytes()) for name in output_names]


def _encode_response(
    request: "pb.ModelInferRequest", layout: InputLayout, columns: list[tuple[str, bytes]], rows: int
) -> "pb.ModelInferResponse":
    response = pb.ModelInferResponse(model_name=request.model_name, model_version=VERSION, id=request.id)
    for name, content in columns:
        response.outputs.add(name=name, datatype=layout.outputs[name].datatype, shape=(rows, 1))
        response.raw_output_contents.append(content)
    return response
