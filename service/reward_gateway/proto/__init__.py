"""Code that protoc wrote from the published .proto; see ``reward_gateway.proto.generate``."""
