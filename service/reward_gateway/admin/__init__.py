"""Administration of models and references, shared by the entries: load, roll back, upload, inspect."""
