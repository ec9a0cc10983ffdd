"""The published layouts of preference sets, each recognised by its columns, and read as comparisons."""

from .reading import LAYOUTS, Preferences, choose_layout, read_preferences
from .values import LayoutError, RowError

__all__ = ["LAYOUTS", "LayoutError", "Preferences", "RowError", "choose_layout", "read_preferences"]
