"""Pure ASGI layers around the routes, outermost first: context, disconnect, keys, admission, body."""
