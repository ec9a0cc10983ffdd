"""The head of a checkpoint, by the names and shapes of its tensors: linear layers, one or several in a chain."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.families import family_of
from reward_models.convert.options import ACTIVATIONS, Options
from reward_models.convert.tensors import TensorInfo, read_header

HEADS = (
    "v_head.",
    "value_head.",
    "reward_head.",
    "critic_head.",
    "score_head.",
    "regression_head.",
    "rm_head.",
    "score.",
    "classifier.",
    "head.",
)
"""Prefixes of a head's tensors, the most specific first."""

PREDICTORS = ("layers.", "predictor.")
"""Prefixes of an aesthetic head beside CLIP."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a head is and what it computes.

    Attributes:
        prefix: of its tensors; empty for one in a file of its own.
        layers: the names of its matrices, the first first.
        activation: between them.
    """

    prefix: str
    layers: tuple[str, ...]
    activation: str


def find_head(
    checkpoint: Checkpoint, options: Options, tensors: Mapping[str, TensorInfo], prefixes: Iterable[str] = HEADS
) -> Head:
    """The head that a conversion uses: in the file that the user names, of the known class, or by its prefix.

    Raises:
        Refused: there is none, there are several, or it has several layers and nothing says what is between them.
    """
    family = family_of(checkpoint)
    prefix = ""
    if options.head is not None:
        tensors = read_header(options.head)
    elif family is not None and any(name.startswith(family.head) for name in tensors):
        prefix = family.head
    else:
        found = [prefix for prefix in prefixes if any(name.startswith(prefix) for name in tensors)]
        if not found:
            raise Refused(
                f"The checkpoint has no head (a tensor under {', '.join(prefixes)}): name its file with --head."
            )
        if len(found) > 1:
            raise Refused(
                f"The checkpoint has several heads ({', '.join(found)}), and no file says which one scores: "
                "save the right one in a file of its own and name it with --head."
            )
        prefix = found[0]
    layers = tuple(
        sort_layers(name for name, info in tensors.items() if name.startswith(prefix) and len(info.shape) == 2)
    )
    activation = options.activation or (family.activation if family is not None and prefix == family.head else "")
    if len(layers) > 1 and not activation:
        raise Refused(
            f"The head has {len(layers)} layers ({', '.join(layers)}), and no file says what is between them: give "
            f"--activation {', '.join(ACTIVATIONS)}, as the code does that the model was trained with."
        )
    return Head(prefix, layers, activation or "none")


def sort_layers(names: Iterable[str]) -> list[str]:
    """Names of tensors in the order of the numbers in them."""
    return sorted(
        names,
        key=lambda name: [
            (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"\.", name)
        ],
    )
