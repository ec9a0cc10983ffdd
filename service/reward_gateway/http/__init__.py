"""The HTTP edge: bytes to a batch, the gateway, a scored batch to bytes. Nothing is decided here twice."""
