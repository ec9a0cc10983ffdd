"""Pure ASGI layers around the routes, outermost first: context, browsers, disconnect, drain, keys, body, admission.

With mutual TLS, certificates come after browsers.
"""
