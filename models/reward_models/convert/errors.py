"""Why a checkpoint was not converted."""


class Refused(RuntimeError):
    """A checkpoint cannot be converted, or not faithfully; the message says what was found and what to do."""


class NoGraph(Refused):
    """The network of a checkpoint does not become a graph; an engine may run it as it is."""
