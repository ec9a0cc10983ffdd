"""Pure ASGI layers around the routes, outermost first: context, patience, keys, admission, body."""
