"""Services over models and references that the entries share: load, roll back, upload, inspect."""
