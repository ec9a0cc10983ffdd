"""The single-machine stack: Triton, Valkey and the gateway's workers, as children of one supervisor."""
