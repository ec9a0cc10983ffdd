"""NeMo-Gym, and NeMo-RL through it: a resources server that has its rewards from the gateway.

    export REWARD_GATEWAY_URL=http://HOST:8080 REWARD_GATEWAY_REWARD=RECIPE
    export NEMO_GYM_EXTRA_ROOTS=$(python -c 'import reward_gateway.client.adapters.nemo_gym as m; print(m.__path__[0])')
    gym env start --config resources_servers/reward_gateway/configs/reward_gateway.yaml --config …      # NeMo-Gym

or, for NeMo-RL, ``resources_servers/reward_gateway/configs/reward_gateway.yaml`` among ``env.nemo_gym.config_paths``.
(A NeMo-Gym without ``NEMO_GYM_EXTRA_ROOTS`` finds ``resources_servers/reward_gateway`` once that folder is copied into
its own ``resources_servers``.) NeMo-Gym starts the server in an environment that it makes for it; nothing of ours is
installed there. Rows name the agent ``reward_gateway_simple_agent``, or one of your own that refers to this server, and
hold the reference as ``expected_answer`` (``reference``, ``ground_truth``, ``answer``, ``label``).

A sample without a score, or a gateway that is away, is an HTTP error of ``/verify``: no reward is made up.

Samples arrive one by one: a recipe that compares a group (``grpo``) needs ``group: {cohort: {size: N}}``, N being the
samples per prompt, or ``group: {answer: combined}``.
"""
