"""What a reward is made of: the schema of rewards.yaml, its compilation to a plan, and the run of a plan."""
