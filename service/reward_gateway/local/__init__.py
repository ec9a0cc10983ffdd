"""The one-machine stack: a real Triton, a real Valkey and the gateway's workers, as children of one supervisor."""
