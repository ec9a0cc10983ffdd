"""What a request passes before it is worked on: who may call, how often, how much at once, for how long.

Every module here is plain logic that knows no web framework; the HTTP and the gRPC edge wrap it.
"""
