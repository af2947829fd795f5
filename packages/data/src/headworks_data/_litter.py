"""What desktops and archives leave in every folder; whoever reads or replaces a folder passes over it."""

from __future__ import annotations

# In small letters, since a file that was copied from Windows may be written either way.
LITTER = frozenset(
    {".directory", ".ds_store", "__macosx", "desktop.ini", "ehthumbs.db", "ehthumbs_vista.db", "thumbs.db"}
)
APPLE_DOUBLE = "._"  # what macOS keeps beside a file where the file system has no place for it


def is_litter(name: str) -> bool:
    """Tell whether a file or folder of this name is nobody's data."""
    return name.casefold() in LITTER or name.startswith(APPLE_DOUBLE)
