"""Runs a converted graph over token rows: each distinct row once, in batches by token budget."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_models.runtime.budget import batch_by_tokens, choose_budget, choose_run_tokens, pad_rows
from reward_models.runtime.reading import TokenRow
from reward_models.runtime.session import Device, Session, count_threads

GRAPH = "model.onnx"


class TokenGraph:
    """A graph with inputs ``input_ids``, ``attention_mask`` and, if ``types`` is set, ``token_type_ids``.

    Args:
        folder: the version folder.
        settings: of the card: ``pad`` (the padding id) and ``types``.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], device: Device, graph: str = GRAPH) -> None:
        self._session = Session(folder / graph, device)
        threads, on_gpu = count_threads(), device.kind == "GPU"
        self._budget = choose_budget(threads, on_gpu=on_gpu)
        self._run_tokens = choose_run_tokens(threads, on_gpu=on_gpu)
        self._pad: int = settings["pad"]
        self._types: bool = settings["types"]

    def score_rows(self, rows: Sequence[TokenRow]) -> list[NDArray[np.float32]]:
        """The graph's output per row: [K], or for a graph that scores tokens [t], padding included."""
        distinct = {row.key: row for row in rows}
        found = dict(zip(distinct, self._run_batch(list(distinct.values())), strict=True))
        return [found[row.key] for row in rows]

    def _run_batch(self, rows: Sequence[TokenRow]) -> list[NDArray[np.float32]]:
        results: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(rows)
        for batch in batch_by_tokens([len(row.ids) for row in rows], self._budget, self._run_tokens):
            ids, mask = pad_rows([rows[index].ids for index in batch], self._pad)
            feeds = {"input_ids": ids, "attention_mask": mask}
            if self._types:
                feeds["token_type_ids"] = pad_rows([rows[index].types for index in batch])[0]
            outputs = self._session.run_graph(feeds)[0]
            for index, values in zip(batch, outputs, strict=True):
                results[index] = np.array(values, np.float32)
        return results
