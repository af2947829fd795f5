"""Build an image with the container engine that answers, and record its digests, layers and contents.

python docker/build.py serving            build it and write artifacts/build-images/serving
python docker/build.py serving --restore  bring the recorded image back into an engine that does not have it
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compare import differing
from engines import ROOT, ImageError, build, find_engine, inspect
from record import load_layers, save_layers, write_record
from variables import collect

if TYPE_CHECKING:
    from collections.abc import Sequence

ARTIFACTS = ROOT / "artifacts/build-images"
IMAGES = sorted(path.name.removesuffix(".Dockerfile") for path in (ROOT / "docker").glob("*.Dockerfile"))
# A server's image is kept with its record, so that the tested image is the deployed one. The training image is large,
# and the outputs of its stages are tested themselves.
KEPT = {"serving"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Build or restore an image, and return the exit code: 0, or 1 after one line with the reason."""
    parser = argparse.ArgumentParser(description="Build an image and record what it is.")
    parser.add_argument("image", choices=IMAGES)
    recorded = parser.add_mutually_exclusive_group()
    recorded.add_argument("--restore", action="store_true", help="bring the recorded image back where it is missing")
    recorded.add_argument("--again", action="store_true", help="build the recorded image once more and compare")
    parser.add_argument("options", nargs="*", help="after --: options of the engine's build command")
    chosen = parser.parse_args(arguments)
    folder = ARTIFACTS / chosen.image
    try:
        engine = find_engine()
        if chosen.restore:
            restore(engine, folder)
        elif chosen.again:
            build_again(engine, folder)
        else:
            build_image(engine, chosen.image, folder, chosen.options)
    except ImageError as error:
        sys.stderr.write(f"build: error: {error}\n")
        return 1
    return 0


def build_image(engine: str, image: str, folder: Path, options: Sequence[str]) -> None:
    """Build an image, write its record, and say how large each layer is."""
    variables = collect(engine, image)
    build(engine, image, variables, options=options)
    record = write_record(engine, image, variables, folder)
    if image in KEPT:
        save_layers(engine, record["tags"][-1], folder / "layers")
    rows = [f"{layer['size'] or 0:>13,}  {layer['name']}" for layer in record["layers"]]
    size = f"{record['size']:,} bytes" + (f" of {record['budget']:,} allowed" if record["budget"] else "")
    sys.stdout.write("\n".join([f"{record['tags'][-1]}: {record['id']}, {size}", *rows, ""]))


def read_record(folder: Path) -> dict[str, Any]:
    """Return the record of an image.

    Raises:
        ImageError: There is none.
    """
    path = folder / "image.json"
    if not path.is_file():
        message = f"{path.relative_to(ROOT)} is not there: run `nox -s build-images` first"
        raise ImageError(message)
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def restore(engine: str, folder: Path) -> None:
    """Load the recorded image into the engine's store: from its layers, or by a build with its recorded variables.

    Raises:
        ImageError: There is no record, or the restored image has another id.
    """
    record = read_record(folder)
    name = record["tags"][-1]
    if is_there(engine, name, record["id"]):
        return
    if (folder / "layers").is_dir():
        load_layers(engine, folder / "layers")
    else:
        build(engine, record["image"], record["variables"])
    if not is_there(engine, name, record["id"]):
        message = f"{name} came back as another image than was recorded: run `nox -s build-images` again"
        raise ImageError(message)


def build_again(engine: str, folder: Path) -> None:
    """Build the recorded image once more, without cached layers, and compare the contents of the two.

    Raises:
        ImageError: There is no record, or the second image differs.
    """
    record = read_record(folder)
    build(engine, record["image"], record["variables"], options=["--no-cache"])
    again = inspect(engine, record["tags"][-1])
    if again["Id"] != record["id"]:
        with tempfile.TemporaryDirectory() as place:
            one, other = Path(place, "one"), Path(place, "other")
            save_layers(engine, record["id"], one)
            save_layers(engine, again["Id"], other)
            numbers = differing(one, other)
        if numbers:
            names = ", ".join(record["layers"][number]["name"] for number in numbers)
            message = f"a second build gives {again['Id']}, not {record['id']}; layers that differ: {names}"
            raise ImageError(message)
    sys.stdout.write(f"{record['tags'][-1]}: a second build gives the same image\n")


def is_there(engine: str, name: str, digest: str) -> bool:
    """Whether the engine's store has an image of this name and id."""
    try:
        return bool(inspect(engine, name)["Id"] == digest)
    except ImageError:
        return False


if __name__ == "__main__":
    sys.exit(main())
