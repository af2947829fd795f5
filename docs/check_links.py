"""Checks every link inside a built site, down to the anchor, and prints the broken ones.

    python docs/check_links.py artifacts/docs

Sphinx warns about links that it resolves itself; this reads the pages as they were written.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links of a page, and the anchors that others can link to."""

    def __init__(self, path: Path) -> None:
        """Read a page."""
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element names and where it leads."""
        for key, value in attrs:
            if key == "id" or (tag == "a" and key == "name"):
                self.anchors.add(value or "")
            elif key in {"href", "src"}:
                self.links.append(value or "")


def broken(site: Path) -> list[str]:
    """Return a line for each link that leads to no file of the site, or to no anchor of its page."""
    pages = {path: Page(path) for path in sorted(site.resolve().rglob("*.html"))}
    lines = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue  # another site, which `nox -s docs -- external` asks
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or (target in pages and unquote(parts.fragment) not in pages[target].anchors):
                lines.append(f"{path.relative_to(site.resolve())}: {link} leads nowhere")
    return lines if pages else [f"{site}: there is no page here; build the site first"]


if __name__ == "__main__":
    found = broken(Path(sys.argv[1]))
    print(*found, sep="\n", end="\n" if found else "")  # noqa: T201 - a program prints
    sys.exit(bool(found))
