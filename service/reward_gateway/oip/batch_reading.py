"""From input tensors to a batch in one function, which a worker process can run."""

import asyncio
import math
from collections.abc import Iterable, Mapping

from reward_gateway.intake.batch_builder import BatchBuilder
from reward_gateway.intake.decoding_cost import TYPED
from reward_gateway.sample import Batch

from .input_layouts import find_layout
from .tensors import Tensor


def takes_long_to_read(tensors: Iterable[Tensor]) -> bool:
    """Whether the event loop should not wait for the texts, the JSON and the images of tensors to be read."""
    return any(
        tensor.datatype.name == "BYTES" and TYPED.exceeds_limit(tensor.raw, math.prod(tensor.shape))
        for tensor in tensors
    )


def read_batch(builder: BatchBuilder, inputs: Mapping[str, Tensor]) -> Batch:
    """The samples of the tensors of a layout that needs no tokenizer.

    Raises:
        InvalidRequest: a tensor that is not of the shape or form of its field.
        TooLarge: more samples or longer texts than the limits allow.
    """
    columns, unreadable = asyncio.run(find_layout(inputs).read(inputs, None))  # it awaits nothing without tokens
    batch = builder.build_of_columns(columns)
    batch.invalid = unreadable | batch.invalid
    return batch
