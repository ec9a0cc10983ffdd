"""Why a model was not fetched. A message says what was wrong, where, and what to do, and never has a credential."""


class FetchError(Exception):
    """Base class: nothing was put in place."""


class SourceUnusable(FetchError):
    """The arguments name no source that can be fetched, or one that could change under its name."""


class SourceFailed(FetchError):
    """The source cannot be reached, refuses access, or does not have what was asked for."""


class ContentRefused(FetchError):
    """The content is not what was promised, is unsafe, or does not fit on the disk."""
