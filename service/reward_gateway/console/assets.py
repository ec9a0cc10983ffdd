"""Scripts and styles that pages of the console load: those of ``console/static``, and shared ones."""

from importlib.resources import files

from reward_gateway.pages.static_files import TYPES, StaticFiles

PREFIX = "/console/static/"

_FOLDERS = ("reward_gateway.pages.static", "reward_gateway.console.static")


class Assets(StaticFiles):
    """The files, read once."""

    def __init__(self) -> None:
        pages = files("reward_gateway.pages")
        shared = {"pages.css": "style.css", "plots.js": "plots.js", "icon.svg": "icon.svg"}
        found = {name: (pages / file).read_bytes() for name, file in shared.items()}
        for folder in _FOLDERS:
            package, _, name = folder.rpartition(".")
            for file in (files(package) / name).iterdir():
                if file.name.endswith(tuple(TYPES)):
                    found[file.name] = file.read_bytes()
        super().__init__(PREFIX, found)
