"""The gRPC edge: decode, call the gateway, encode."""
