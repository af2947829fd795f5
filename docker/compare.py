"""Whether two images hold the same, whatever order their engine has written the files of a layer in.

An engine may compare folders to find what a layer adds, or take a layer as it lies there; which of the two depends on
what it has in its store already. The order of the files, and with it the layer's digest, differs between the two.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def differing(one: Path, other: Path) -> list[int]:
    """Return the numbers of the layers that do not hold the same files, of two images that `save_layers` wrote.

    An image whose configuration is another one, or that has more layers, differs in each of them.
    """
    found, others = _manifest(one), _manifest(other)
    if _configuration(one, found) != _configuration(other, others) or len(found["Layers"]) != len(others["Layers"]):
        return list(range(len(found["Layers"])))
    pairs = zip(found["Layers"], others["Layers"], strict=True)
    return [number for number, (mine, its) in enumerate(pairs) if files(one / mine) != files(other / its)]


def _manifest(folder: Path) -> dict[str, Any]:
    """Return where the configuration and the layers of an image lie."""
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))[0]
    return found


def _configuration(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """Return an image's configuration without the digests of its layers, and without when and by what it was made."""
    found: dict[str, Any] = json.loads((folder / manifest["Config"]).read_text(encoding="utf-8"))
    return {key: it for key, it in found.items() if key not in {"rootfs", "history"}}


def files(layer: Path) -> set[tuple[object, ...]]:
    """Return what a layer holds: of each file its path, kind, rights, owner, time, target and content."""
    with tarfile.open(layer) as archive:
        return {
            (it.name, it.type, it.mode, it.uid, it.gid, it.mtime, it.linkname, _content(archive, it)) for it in archive
        }


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    """Return the digest of a file's content; empty where it has none of its own."""
    file = archive.extractfile(member) if member.isreg() else None
    return hashlib.sha256(file.read()).hexdigest() if file else ""
