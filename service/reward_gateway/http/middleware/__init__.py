"""Pure ASGI layers around the routes, outermost first: context, browsers, disconnect, drain, keys, body, admission.

Around them all, websockets makes requests of WebSockets. With mutual TLS, certificates come after browsers.
"""
