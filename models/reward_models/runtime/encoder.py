"""Texts to embeddings: tokenise, truncate, and encode each distinct text once, in batches by token budget.

The responses of a group share their prompt, so equal texts are encoded once per call, and recent embeddings are
cached, as Triton may split a group into several batches.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from reward_models.runtime.budget import batch_by_tokens, choose_budget, choose_run_tokens, pad_rows
from reward_models.runtime.remembered import limit_remembered
from reward_models.runtime.session import Device, Session, count_threads

Side = Literal["start", "end"]
FloatArray = NDArray[np.float32]

CHARACTERS_A_TOKEN = 64
"""Text beyond this many characters per token of the limit is dropped before tokenising, to bound the work."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Maximum tokens of a text, special tokens included, and the side that is kept if it is longer."""

    tokens: int
    keep: Side


@dataclass(slots=True)
class Encoded:
    """Encoded texts: embeddings [n, width], the token ids of each, and which texts were truncated [n]."""

    embeddings: FloatArray
    rows: list[tuple[int, ...]]
    truncated: NDArray[np.bool_]


class TextEncoder:
    """A tokeniser and an encoder graph of one folder (``encoder.onnx``, ``tokenizer.json``).

    Args:
        folder: the version folder of a model.
        remembered: embeddings to cache between calls (1.5 kB each at width 384); see :mod:`.remembered`.
    """

    def __init__(self, folder: Path, device: Device, remembered: int = 4096) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._first, self._last = self._tokenizer.encode("").ids
        self.session = Session(folder / "encoder.onnx", device)
        threads, on_gpu = count_threads(), device.kind == "GPU"
        self._budget = choose_budget(threads, on_gpu=on_gpu)
        self._run_tokens = choose_run_tokens(threads, on_gpu=on_gpu)
        self._remembered = limit_remembered(remembered)
        self._known: OrderedDict[tuple[int, ...], FloatArray] = OrderedDict()

    def encode_texts(self, texts: Sequence[str], limit: Limit) -> Encoded:
        """Embeddings of texts, in the order given."""
        rows, truncated = self.tokenize_texts(texts, limit)
        new = list(dict.fromkeys(row for row in rows if row not in self._known))
        fresh = dict(zip(new, self._run_graph(new), strict=True))
        found = [fresh[row] if row in fresh else self._known[row] for row in rows]
        self._cache_embeddings(rows, found)
        return Encoded(np.stack(found), rows, truncated)

    def tokenize_texts(self, texts: Sequence[str], limit: Limit) -> tuple[list[tuple[int, ...]], NDArray[np.bool_]]:
        """Token ids of texts, special tokens included, truncated to the limit, and which texts were truncated."""
        max_ids, max_characters = limit.tokens - 2, limit.tokens * CHARACTERS_A_TOKEN
        short = [text[:max_characters] if limit.keep == "start" else text[-max_characters:] for text in texts]
        rows, truncated = [], np.fromiter((len(text) > max_characters for text in texts), np.bool_, len(texts))
        for index, encoding in enumerate(self._tokenizer.encode_batch_fast(short, add_special_tokens=False)):
            ids = encoding.ids
            if len(ids) > max_ids:
                truncated[index] = True
                ids = ids[:max_ids] if limit.keep == "start" else ids[-max_ids:]
            rows.append((self._first, *ids, self._last))
        return rows, truncated

    def _run_graph(self, rows: Sequence[tuple[int, ...]]) -> list[FloatArray]:
        embeddings: list[FloatArray] = [np.empty(0, np.float32)] * len(rows)
        for batch in batch_by_tokens([len(row) for row in rows], self._budget, self._run_tokens):
            ids, mask = pad_rows([rows[index] for index in batch])
            (pooled,) = self.session.run_graph({"input_ids": ids, "attention_mask": mask})
            for index, embedding in zip(batch, pooled, strict=True):
                embeddings[index] = embedding.copy()
        return embeddings

    def _cache_embeddings(self, rows: Sequence[tuple[int, ...]], found: Sequence[FloatArray]) -> None:
        for row, embedding in zip(rows, found, strict=True):
            self._known[row] = embedding
            self._known.move_to_end(row)
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)
