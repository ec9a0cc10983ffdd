"""Rerankers take one query with all its documents: rows that share a prompt, as a group's do, are one call."""

import asyncio
from collections.abc import Sequence

import numpy as np

from ..config import UpstreamConfig
from ..replica import Replica
from ..rows import Question
from .base import RowAnswers, UpstreamProtocol


class Reranking(UpstreamProtocol):
    """A protocol whose call is about the documents of one query."""

    def __init__(self, config: UpstreamConfig) -> None:
        super().__init__(config)
        self._calls = asyncio.Semaphore(config.limits.in_flight)

    async def ask(self, replica: Replica, questions: Sequence[Question], timeout_s: float) -> RowAnswers:
        """The numbers of questions, by a call for each query; at most ``in_flight`` calls at a time.

        Raises ReplicaFailed or Refused, where one of the calls fails.
        """
        ends = asyncio.get_running_loop().time() + timeout_s
        rows_by_query: dict[str, list[int]] = {}
        for row, question in enumerate(questions):
            rows_by_query.setdefault(question.prompt, []).append(row)

        async def ask_query(rows: Sequence[int]) -> RowAnswers:
            async with self._calls:
                left_s = max(0.0, ends - asyncio.get_running_loop().time())
                return await super(Reranking, self).ask(replica, [questions[row] for row in rows], left_s)

        told = await asyncio.gather(*map(ask_query, rows_by_query.values()), return_exceptions=True)
        answers = RowAnswers(np.full((len(questions), self.width), np.nan))
        for rows, answer in zip(rows_by_query.values(), told, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            answers.values[rows] = answer.values
            answers.invalid |= {rows[k]: reason for k, reason in answer.invalid.items()}
            answers.flags |= {rows[k]: flags for k, flags in answer.flags.items()}
        return answers
