"""What a model keeps between calls, which makes equal inputs fast: nothing where callers must not notice each other's.

Equal inputs of one call are computed once in any case.
"""

import os

VARIABLE = "REWARD_MODELS_REMEMBER"


def limit_remembered(results: int) -> int:
    """How many results a model may keep between calls: as given, or none where REWARD_MODELS_REMEMBER is 0.

    Raises ValueError if the variable is neither 0, 1 nor empty.
    """
    value = os.environ.get(VARIABLE, "")
    if value not in ("", "0", "1"):
        raise ValueError(f"{VARIABLE} is {value!r}: give 1 to keep results between calls, or 0 to keep none.")
    return 0 if value == "0" else results
