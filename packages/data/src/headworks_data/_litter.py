"""Files that desktops and archives leave in folders, and that readers and writers of a folder ignore."""

from __future__ import annotations

# In small letters, since Windows does not tell the two cases apart.
LITTER = frozenset(
    {".directory", ".ds_store", "__macosx", "desktop.ini", "ehthumbs.db", "ehthumbs_vista.db", "thumbs.db"}
)
APPLE_DOUBLE = "._"  # the prefix of files in which macOS keeps attributes that a file system has no place for


def is_litter(name: str) -> bool:
    """Tell whether the name is that of a leftover."""
    return name.casefold() in LITTER or name.startswith(APPLE_DOUBLE)
