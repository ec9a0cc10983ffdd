"""The history of training runs: what the rewards of each were like, minute by minute, hour by hour and step by step."""
