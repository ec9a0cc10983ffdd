"""A converted sequence classifier: conversations to the K outputs of the checkpoint's own head."""

import numpy as np

from reward_models.runtime.conversation import read_conversations
from reward_models.runtime.instance import Instance
from reward_models.runtime.network import open_network
from reward_models.runtime.reading import Reader, RowError, TokenRow
from reward_models.runtime.rows import Answer, Columns


class SequenceScorer:
    """Scores [n, K] of ``prompt`` and ``response``, or of ``messages``."""

    def __init__(self, instance: Instance) -> None:
        settings = instance.card["settings"]
        self._reader = Reader(instance.folder, settings)
        self._network = open_network(instance)
        self._dimensions = len(instance.dimensions)
        self._truncated, self._media_ignored = instance.flag_mask("truncated"), instance.flag_mask("media_ignored")

    def score(self, columns: Columns, rows: int) -> Answer:
        """Score rows; a row that the template or the token limit rejects is an error of that row."""
        answer = Answer.empty(rows, self._dimensions)
        read, errors = read_conversations(columns, rows)
        answer.errors.update(errors)
        tokens: dict[int, TokenRow] = {}
        for row, conversation in read.items():
            try:
                tokens[row] = self._reader.encode_conversation(conversation)
            except RowError as error:
                answer.errors[row] = str(error)
                continue
            answer.flags[row] = np.uint32(
                tokens[row].truncated * self._truncated | conversation.ignored * self._media_ignored
            )
        for row, given in zip(tokens, self._network.score_rows(list(tokens.values())), strict=True):
            if isinstance(given, RowError):
                answer.errors[row] = str(given)
            else:
                answer.scores[row] = given
        return answer
