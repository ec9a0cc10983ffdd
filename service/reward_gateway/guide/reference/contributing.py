"""How to change the project: ``CONTRIBUTING.md`` of the project's folder."""

from reward_gateway.guide.repository_files import read_repository_file


def write_page() -> str:
    """The page."""
    return read_repository_file("CONTRIBUTING.md")
