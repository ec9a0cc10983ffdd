"""From input tensors to a batch in one function, which a worker process can run."""

import asyncio
import math
from collections.abc import Iterable, Mapping

from reward_gateway.intake.batch_builder import BatchBuilder
from reward_gateway.intake.chat_text import TextReading, read_columns
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


def read_batch(builder: BatchBuilder, reading: TextReading, inputs: Mapping[str, Tensor]) -> Batch:
    """The samples of the tensors of a layout that needs no tokenizer.

    Raises:
        InvalidRequest: a tensor that is not of the shape or form of its field.
        TooLarge: more samples or longer texts than the limits allow.
    """
    layout = find_layout(inputs)
    columns, unreadable = asyncio.run(layout.read(inputs, None))  # it awaits nothing without tokens
    read = read_columns(columns, reading) if layout.whole_texts else None
    batch = builder.build_of_columns(columns)
    batch.invalid = unreadable | batch.invalid
    if read is not None:
        read.apply(batch)
    return batch
