"""Which kind of reward model a checkpoint is, by its configuration and the names of its tensors."""

from reward_models.convert import weights
from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.options import KINDS

PROCESS_HEADS = {"Qwen2ForProcessRewardModel": "score.", "Qwen2ForPrmModel": "v_head."}
"""Architectures with code of their own whose head is known: two layers at ``<extra_0>``; a value head at line ends."""


def kind_of(checkpoint: Checkpoint, asked: str) -> str:
    """One of KINDS. Raises Refused if none fits, and says what would."""
    if asked:
        if asked not in KINDS:
            raise Refused(f"There is no kind {asked!r}; there are {', '.join(KINDS)}.")
        return asked
    architecture = checkpoint.architecture
    if architecture in PROCESS_HEADS:
        return "steps"
    if architecture.endswith("ForSequenceClassification"):
        return "sequence"
    if architecture.endswith("ForTokenClassification"):
        raise Refused("A token classifier may score steps or tokens: say --kind steps or --kind tokens.")
    if checkpoint.config.get("model_type") == "clip":
        # Aesthetics predictors keep their layers beside CLIP's image side.
        names = weights.list_tensor_names(checkpoint.folder)
        return "aesthetic" if any(name.startswith(("layers.", "predictor.")) for name in names) else "clip"
    if any(name.startswith("v_head.") for name in weights.list_tensor_names(checkpoint.folder)):
        raise Refused("A value head may score the whole answer or each step: say --kind head or --kind steps.")
    raise Refused(
        f"{architecture or 'The checkpoint'} ({checkpoint.config.get('model_type', 'of no known type')}) is no reward "
        "model by its configuration. With --kind it is taken for one; a model that answers in text is a judge, and "
        "belongs on an OpenAI-compatible server."
    )
