"""Credit assignment: a reward spread over steps, turns, tokens or places."""
