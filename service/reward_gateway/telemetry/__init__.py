"""What the gateway tells of itself: metrics, logs, traces. Numbers, names and reasons; never a text that was scored."""
