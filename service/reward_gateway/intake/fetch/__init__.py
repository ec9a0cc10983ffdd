"""Images that samples name by an address: fetched from public hosts alone, in bounded time, number and size.

Whoever may send a sample may name an address, so that every one is taken for an attempt to reach what only the
gateway can reach (server-side request forgery). Off unless the operator switches it on.
"""
