"""The documentation site: pages in Markdown and pages generated from the code, listed in ``contents.yaml``."""
