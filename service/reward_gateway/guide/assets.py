"""Scripts, styles and pictures that pages of the guide load."""

from importlib.resources import files
from pathlib import Path

from reward_gateway.pages.assets import STATIC as SHARED
from reward_gateway.pages.static_files import StaticFiles

from .site import PREFIX, STATIC

PICTURES = Path(__file__).with_name("pictures")
STATIC_PREFIX = f"{PREFIX}{STATIC}/"
_OWN = ("guide.css", "code.css", "guide.js", "search.js")


class GuideAssets(StaticFiles):
    """The files, read once."""

    def __init__(self) -> None:
        pages, own = files("reward_gateway.pages"), files("reward_gateway.guide") / "static"
        found = {"pages.css": (pages / "style.css").read_bytes(), "icon.svg": (pages / "icon.svg").read_bytes()}
        found["minisearch.js"] = (SHARED / "minisearch.js").read_bytes()
        found |= {name: (own / name).read_bytes() for name in _OWN}
        found |= {picture.name: picture.read_bytes() for picture in PICTURES.glob("*.png")}
        super().__init__(STATIC_PREFIX, found)
