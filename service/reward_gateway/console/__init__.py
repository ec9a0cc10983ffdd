"""The console: pages for people, beside HTTP and gRPC, over the same services as the API."""
