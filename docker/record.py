"""The record of a built image: its names and digests, the size of each layer, and its contents."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
import tomllib
from typing import TYPE_CHECKING, Any, Final

from engines import ROOT, ImageError, ask, inspect, run_python, tags
from sbom import LIST_CONTENTS, write_sbom

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT: Final = 1
_UNITS: Final = {"MB": 10**6, "GB": 10**9}


def write_record(engine: str, image: str, variables: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Write image.json and sbom.cdx.json about an image that was just built, and return the record.

    Args:
        engine: The engine that built it.
        image: The stem of its Dockerfile.
        variables: The build arguments, by name.
        folder: The folder to write, which is made.
    """
    name = tags(image, variables)[-1]
    inspected = inspect(engine, name)
    contents = json.loads(run_python(engine, name, LIST_CONTENTS))
    layers = list_layers(engine, image, name, inspected["RootFS"]["Layers"])
    record = {
        "format": FORMAT,
        "image": image,
        "tags": tags(image, variables),
        "id": inspected["Id"],
        "size": inspected.get("Size") or contents["size"],  # buildah does not report it
        "budget": budget(image),
        "layers": layers,
        "base": {"name": variables["BASE_NAME"], "digest": variables["BASE_DIGEST"]},
        "model_digest": variables["MODEL_DIGEST"] or None,
        "dataset_digest": variables["DATASET_DIGEST"] or None,
        "labels": inspected["Config"]["Labels"],
        "variables": dict(sorted(variables.items())),
    }
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_sbom(folder / "sbom.cdx.json", record, contents)
    (folder / "image.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return record


def budget(image: str) -> int | None:
    """Return the size limit of an image in bytes, or None if `[tool.headworks.images]` sets none.

    Raises:
        ImageError: The limit is not a size.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text = project["tool"]["headworks"].get("images", {}).get(image)
    if text is None:
        return None
    size = re.fullmatch(r"([0-9]+) ?(MB|GB)", str(text))
    if not size:
        message = f'pyproject.toml: [tool.headworks.images] {image} is {text!r}; write a size such as "240 MB"'
        raise ImageError(message)
    return int(size[1]) * _UNITS[size[2]]


def list_layers(engine: str, image: str, name: str, digests: list[str]) -> list[dict[str, Any]]:
    """Return name, digest and size of each layer, from the lowest; buildah does not report sizes."""
    sizes: list[int | None] = [None] * len(digests)
    if engine != "buildah":
        rows = ask([engine, "history", "--no-trunc", "--human=false", "--format={{.Size}}\t{{.CreatedBy}}", name])
        steps = [line.partition("\t") for line in reversed(rows.splitlines())]
        # Other instructions change the image's configuration only, and add no layer.
        known = [int(size) for size, _, step in steps if int(size) or re.search(r"\b(COPY|RUN|WORKDIR)\b", step)]
        sizes = list(known) if len(known) == len(digests) else sizes
    names = layer_names(image)
    names = [*[f"base {number}" for number in range(1, len(digests) - len(names) + 1)], *names]
    return [
        {"name": layer[0], "digest": layer[1], "size": layer[2]} for layer in zip(names, digests, sizes, strict=True)
    ]


def layer_names(image: str) -> list[str]:
    """Return a name for each layer that the last stage of a Dockerfile adds: the source of a copy, or the step."""
    last = (ROOT / f"docker/{image}.Dockerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    steps = re.findall(r"^(?:COPY(?: --[a-z]+)? --from=(\w+)|COPY|(RUN|WORKDIR))\b", last, flags=re.MULTILINE)
    return [source or (step or "copy").lower() for source, step in steps]


def save_layers(engine: str, name: str, folder: Path) -> None:
    """Write an image's layers and its configuration as files, each under its digest, for `load_layers`.

    Raises:
        ImageError: The engine failed.
    """
    command = {
        "docker": ["docker", "save", name],
        "podman": ["podman", "save", "--quiet", "--format=docker-archive", name],
        "buildah": ["buildah", "push", "--quiet", name, f"docker-archive:/dev/stdout:{name}"],
    }[engine]
    with (
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        archive.extractall(folder, filter="data")
    if process.returncode:
        message = f"{engine} did not save the image {name}: see above what it reports"
        raise ImageError(message)


def load_layers(engine: str, folder: Path) -> None:
    """Load an image that `save_layers` wrote into an engine's store.

    Raises:
        ImageError: The engine failed.
    """
    with (
        subprocess.Popen([engine, "load"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process,
        tarfile.open(fileobj=process.stdin, mode="w|") as archive,
    ):
        archive.add(folder, arcname=".")
    if process.returncode:
        message = f"{engine} did not load the image in {folder}: see above what it reports"
        raise ImageError(message)
