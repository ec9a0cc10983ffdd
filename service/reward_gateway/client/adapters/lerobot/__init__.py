"""LeRobot, and what else rewards robots by ``compute_reward(batch) -> Tensor[B]`` (RLinf's in-process models).

By configuration, as any reward model of LeRobot (0.6 and later), once this package is imported:

    import reward_gateway.client.adapters.lerobot
    config = make_reward_model_config("reward_gateway", reward="RECIPE", url="http://HOST:8080")
    model = make_reward_model(config)
    preprocess, _ = make_reward_pre_post_processors(config)
    rewards = model.compute_reward(preprocess(frames))

A program that reads its configuration with LeRobot's parser imports it by ``--reward_model.discover_packages_path=
reward_gateway.client.adapters.lerobot``, and takes ``--reward_model.type=reward_gateway``, ``--reward_model.reward``,
``.url`` and the other fields of :class:`.configuration_gateway.GatewayConfig`. There is nothing to train:
``lerobot-train`` says so.

In a script without that configuration, and with any LeRobot:

    from reward_gateway.client.adapters.lerobot import RewardGatewayRewardModel
    model = RewardGatewayRewardModel("RECIPE", "http://HOST:8080")
    rewards = model.compute_reward(batch)

The batch is LeRobot's: every key ``observation.image…`` a tensor [B, C, H, W] or, for a window of frames,
[B, T, C, H, W] of 1 or 3 channels; ``task``: texts. Frames are uint8 or floats in [0, 1]; whole numbers in 0 to 255 of
another type are taken as they are. Anything else (NaN, frames normalised by mean and deviation) raises an error that
says what came: hand over the batch as it is before the policy's normalisation. Frames go out as JPEG, in the order of
time; with several cameras the first one in the alphabet counts unless one is named. A sample without a score raises. It
needs Pillow.

In a control loop (HIL-SERL's reward step) it is asked for each moment alone, and remembers how the episode began:

    model = RewardGatewayRewardModel("robot_success", "http://HOST:8080", task="open the drawer")
    model.reset()                                            # at the start of an episode
    done = model.predict_reward(observation, threshold=0.5)  # each step
"""

from .reward_model import RewardGatewayRewardModel

try:
    from .configuration_gateway import GatewayConfig
except ImportError:  # there is no LeRobot here, or one without reward models by configuration
    __all__ = ["RewardGatewayRewardModel"]
else:
    __all__ = ["GatewayConfig", "RewardGatewayRewardModel"]
