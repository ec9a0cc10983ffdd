"""Pages that are generated from the code: a module each, with ``write_page() -> str``, which returns Markdown."""
