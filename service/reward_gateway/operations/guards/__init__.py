"""What makes a sample suspicious; :mod:`.registry` says what a guard is, and the other modules hold them."""

from . import components, duplicates, languages, leaks, outliers, texts
from .registry import GUARDS, Guard, GuardView, Judged, find_suspicious

__all__ = [
    "GUARDS",
    "Guard",
    "GuardView",
    "Judged",
    "components",
    "duplicates",
    "find_suspicious",
    "languages",
    "leaks",
    "outliers",
    "texts",
]
