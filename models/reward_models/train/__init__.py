"""Training the heads: deterministic scripts that read public data and write a head and its evaluation."""
