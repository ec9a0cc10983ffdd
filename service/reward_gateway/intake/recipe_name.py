"""Which recipe answers: one rule for HTTP, gRPC, every dialect and the Open Inference Protocol.

``reward`` in the body, else the address (``/r/NAME/``, else ``?reward=NAME``), else the body's ``model``, else the
default of the recipe file. A name is that of a recipe, an alias or a served model, in this order.
"""

from reward_gateway.errors import NotFound
from reward_gateway.gateway import Gateway
from reward_gateway.recipes.book import ANY_MODEL

CONSTANTS = frozenset({"model", "reward_model"})
"""What clients send as ``model`` because it cannot be set (LLaMA-Factory, NeMo-Aligner): it means "not given"."""


def resolve_recipe(gateway: Gateway, reward: str | None, address: str | None = None, model: str | None = None) -> str:
    """The name of the recipe that answers.

    Args:
        reward: the recipe that the body names.
        address: the one that the address names.
        model: the body's ``model``; looked up only where neither names a recipe.

    Raises:
        NotFound: nothing has the name that counts.
        PermissionDenied: the caller may not use what it names.
    """
    name = reward if reward is not None else address
    if name is not None or not model:
        return gateway.resolve_reward(name)
    if (plan := gateway.find_plan(model)) is not None:
        return plan.name
    if model in CONSTANTS:
        return gateway.resolve_reward()
    if ANY_MODEL in gateway.book.aliases:
        return gateway.resolve_reward(gateway.book.aliases[ANY_MODEL])
    gateway.check_use(model, "model")
    raise NotFound(
        "model: there is no recipe, alias or served model of this name; GET /v1/rewards lists the recipes, and "
        "model_aliases in the recipe file gives them further names",
        param="model",
    )


async def learn_models(
    gateway: Gateway, reward: str | None, address: str | None = None, model: str | None = None
) -> None:
    """Ask the model server about the name that counts, where it means nothing yet. Arguments of :func:`resolve_recipe`.

    Raises:
        ModelUnavailable: no model is known yet, and the model server does not answer.
    """
    name = reward if reward is not None else address
    if name is None and model not in CONSTANTS:
        name = model
    if name and not gateway.has_reward(name):
        await gateway.learn_model(name)
