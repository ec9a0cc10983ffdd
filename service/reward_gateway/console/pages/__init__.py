"""The console's pages: one file each, with a ``page`` (:class:`..page.Page`), found by its folder."""
