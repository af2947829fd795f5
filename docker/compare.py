"""Compares two images by the files in their layers, whatever the order of the files.

An engine may compute a layer from two folders, or reuse one from its store. The order of the files, and with it the
layer's digest, can differ between the two ways.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def differing(one: Path, other: Path) -> list[int]:
    """Return the numbers of the layers whose files differ between two images that `save_layers` wrote.

    Images with different configurations or numbers of layers differ in all of them.
    """
    first, second = _manifest(one), _manifest(other)
    if _configuration(one, first) != _configuration(other, second) or len(first["Layers"]) != len(second["Layers"]):
        return list(range(len(first["Layers"])))
    pairs = zip(first["Layers"], second["Layers"], strict=True)
    return [
        number for number, (layer, counterpart) in enumerate(pairs) if files(one / layer) != files(other / counterpart)
    ]


def _manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a saved image: the paths of its configuration and its layers."""
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))[0]
    return manifest


def _configuration(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """Return an image's configuration without the digests of its layers and without its history."""
    configuration: dict[str, Any] = json.loads((folder / manifest["Config"]).read_text(encoding="utf-8"))
    return {key: value for key, value in configuration.items() if key not in {"rootfs", "history"}}


def files(layer: Path) -> set[tuple[object, ...]]:
    """Return the files of a layer, each with path, kind, mode, owner, time, link target and content."""
    with tarfile.open(layer) as archive:
        return {
            (
                member.name,
                member.type,
                member.mode,
                member.uid,
                member.gid,
                member.mtime,
                member.linkname,
                _content(archive, member),
            )
            for member in archive
        }


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    """Return the digest of a file's content; empty for a folder or a link."""
    file = archive.extractfile(member) if member.isreg() else None
    return hashlib.sha256(file.read()).hexdigest() if file else ""
