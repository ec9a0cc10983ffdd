"""One small file a route or a family of them; each has a ``router`` and is found by its being here."""
