"""reward-gateway: one URL for every reward an RL run needs."""

__version__ = "0.1.0"
