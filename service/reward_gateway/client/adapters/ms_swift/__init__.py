"""The plugin of ms-swift, in a folder of its own: ms-swift puts a plugin's folder first on the import path."""
