"""The configuration by which LeRobot chooses this reward model: ``type: reward_gateway``.

LeRobot finds the model and its processors by the names of this module and of the class: ``GatewayRewardModel`` in
``modeling_gateway``, and ``make_reward_gateway_pre_post_processors`` in ``processor_gateway``.
"""

from dataclasses import dataclass

from lerobot.configs.rewards import RewardModelConfig


@RewardModelConfig.register_subclass("reward_gateway")
@dataclass
class GatewayConfig(RewardModelConfig):  # type: ignore[misc]
    """A recipe of a running gateway as a reward model. What is None comes from the environment.

    The API key comes from ``REWARD_GATEWAY_API_KEY`` alone, since LeRobot saves configurations.

    Attributes:
        reward: name of the recipe.
        url: ``http://HOST:8080`` or ``grpc://HOST:8081``.
        run: name of the training run.
        timeout_s: maximum seconds for an answer, waiting for a service that is away included.
        image_key: key of the batch that holds the frames; None: the first camera in the alphabet.
        default_task: the instruction where a batch names none.
        quality: of the JPEGs that are sent, 1 to 95.
    """

    device: str | None = "cpu"
    reward: str | None = None
    url: str | None = None
    run: str | None = None
    timeout_s: float | None = None
    image_key: str | None = None
    default_task: str = ""
    quality: int = 95
