"""axolotl's NeMo-Gym plugin, which finds the resources servers in ``/global_config_dict_yaml``.

The row is that of NeMo-Gym. The plugin makes 0.0 of every status but 200 and goes on; only a reward that is no number
stops it. So every failure, at the key, at the gate or of the sample, is a 200 with the reason in the reward's place.
"""

from typing import Any

from msgspec import Struct

from .dialect import Dialect
from .error_formats import AXOLOTL
from .nemo_gym import EXAMPLE, VerifyRequest, read_row
from .policy import Policy
from .request import DialectRequest

dialect = Dialect(
    Policy(
        name="axolotl",
        title="axolotl (NeMo-Gym plugin)",
        clients=("axolotl",),
        prefix="axolotl",
        deadline_s=27.0,
        error_format=AXOLOTL,
        one_sample=True,
    )
)
router = dialect.router


class Verified(Struct, omit_defaults=True):
    """The reward of one response and its components, or why there is none in the reward's place."""

    reward: float | str
    reward_components: dict[str, float | None] = {}


@dialect.post("/verify", body=VerifyRequest, answer=Verified, example=EXAMPLE, bare=False)
async def verify(request: DialectRequest, body: VerifyRequest) -> Any:
    """The reward of one response and its components."""
    scores = await request.score([await read_row(request, body)])
    return {"reward": scores.numbers()[0], "reward_components": scores.component_row(0)}
