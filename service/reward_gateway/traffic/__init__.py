"""Checks before a request is processed: API keys, rate limits, admission, deadlines and shutdown.

The modules do not depend on a web framework; the HTTP and gRPC entries wrap them.
"""
