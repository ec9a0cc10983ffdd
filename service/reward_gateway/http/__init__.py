"""The HTTP edge: decode, call the gateway, encode."""
