"""Which alternative of a rule of the grammar ANTLR takes, found without the context of the rule where that suffices.

Without the context (SLL) ANTLR stops at the first token where alternatives are in conflict, and takes the first of all
that are left there, those included that the next token would rule out: ``x^2`` is taken for the beginning of
``x^2_1``. The text is then refused, and is read anew with the context (LL), which takes ten times as long since nothing
of it is remembered. Here it goes on until one alternative is the first in every conflict, as it does with the context.
Those that are left are all that the context would leave and more, so that the first of them is the one that the context
gives, or the text is refused (Parr, Harwell and Fisher, Adaptive LL(*) Parsing, 2014, section 3).
"""

from typing import Any

from antlr4 import PredictionMode
from antlr4.atn.ATN import ATN
from antlr4.atn.ParserATNSimulator import ParserATNSimulator


def look_further(parser: Any) -> None:
    """Have a parser of ANTLR predict so; what it remembers of the grammar stays shared with others of its kind."""
    plain = parser._interp
    parser._interp = _Predictor(parser, plain.atn, plain.decisionToDFA, plain.sharedContextCache)


class _Predictor(ParserATNSimulator):  # type: ignore[misc]
    def computeTargetState(self, dfa: Any, before: Any, token: int) -> Any:  # noqa: N802
        state = super().computeTargetState(dfa, before, token)
        if state.requiresFullContext and not _is_settled(state.configs):
            state.requiresFullContext = state.isAcceptState = False
            state.predicates = None
        return state


def _is_settled(configs: Any) -> bool:
    """Whether no further token changes which alternative is the first that is left."""
    if PredictionMode.allConfigsInRuleStopStates(configs):
        return True
    conflicts = PredictionMode.getConflictingAltSubsets(configs)
    return bool(PredictionMode.getSingleViableAlt(conflicts) != ATN.INVALID_ALT_NUMBER)
