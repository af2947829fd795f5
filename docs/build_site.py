"""Build the site of the documents, run its examples and follow its links, with `external` those to other sites too."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from check_links import broken

SITE = Path("artifacts/docs")


def main() -> int:
    """Build and check, and return 0, or 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="nox -s docs --", description=__doc__)
    parser.add_argument("external", nargs="?", choices=["external"], help="ask the sites that a page links to")
    external = parser.parse_args().external
    shutil.rmtree(SITE, ignore_errors=True)
    code = sphinx("html", SITE) | sphinx("doctest", SITE.with_name("docs-examples"))
    lines = broken(SITE)
    sys.stdout.write("".join(f"{it}\n" for it in lines))
    if external:
        code |= sphinx("linkcheck", SITE.with_name("docs-links"))
    return 1 if code or lines else 0


def sphinx(builder: str, target: Path) -> int:
    """Run Sphinx, to which a warning is an error, and return its exit code."""
    strict = ["--fail-on-warning", "--keep-going", "--quiet", "--fresh-env"]
    command = [sys.executable, "-m", "sphinx", *strict, f"--builder={builder}", "docs", str(target)]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
