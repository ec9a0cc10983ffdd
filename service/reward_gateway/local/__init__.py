"""The one-machine stack: starts Triton and Valkey as children, waits, supervises, stops."""
