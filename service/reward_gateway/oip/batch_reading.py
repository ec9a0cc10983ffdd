"""From input tensors to a batch in one function, which a worker process can run."""

import asyncio
import math
from collections.abc import Iterable, Mapping

from reward_gateway.intake.batch_builder import BatchBuilder
from reward_gateway.intake.chat_text import ReadSamples, TextReading, read_batch_texts, read_columns
from reward_gateway.intake.decoding_cost import SHORT, TYPED
from reward_gateway.sample import Batch, Invalid

from .input_layouts import find_layout
from .tensors import Tensor


def takes_long_to_read(tensors: Iterable[Tensor]) -> bool:
    """Whether the event loop should not wait for the texts, the JSON and the images of tensors to be read."""
    return any(
        tensor.datatype.name == "BYTES" and TYPED.exceeds_limit(tensor.raw, math.prod(tensor.shape))
        for tensor in tensors
        if len(tensor.raw) > SHORT
    )


def read_batch(builder: BatchBuilder, reading: TextReading | None, inputs: Mapping[str, Tensor]) -> Batch:
    """The samples of the tensors of a layout that needs no tokenizer.

    Args:
        reading: of texts that are rendered; None: texts are taken as they are.

    Raises:
        InvalidRequest: a tensor that is not of the shape or form of its field.
        TooLarge: more samples or longer texts than the limits allow.
    """
    layout = find_layout(inputs)
    columns, unreadable = asyncio.run(layout.read(inputs, None))  # it awaits nothing without tokens
    noticed = read_columns(columns, reading) if layout.whole_texts and reading is not None else None
    return complete_batch(builder.build_of_columns(columns), unreadable, reading, noticed)


def complete_batch(
    batch: Batch,
    unreadable: dict[int, Invalid],
    reading: TextReading | None = None,
    noticed: ReadSamples | None = None,
) -> Batch:
    """The batch of columns, its rendered texts read.

    Args:
        unreadable: rows that could not be read, and why.
        noticed: what was noticed of whole texts, which are read before a batch is made of them.
    """
    batch.invalid = unreadable | batch.invalid
    if noticed is not None:
        noticed.apply(batch)
    elif reading is not None:
        read_batch_texts(batch, reading)
    return batch
