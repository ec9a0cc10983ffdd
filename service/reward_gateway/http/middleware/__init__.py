"""Pure ASGI layers around the routes, outermost first: context, browsers, disconnect, keys, admission, body."""
