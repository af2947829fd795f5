"""Values for the arguments of the Dockerfiles and the variables of docker-bake.hcl."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from typing import Any

from engines import ROOT, ImageError, ask, inspect


def collect(engine: str, image: str) -> dict[str, str]:
    """Return every variable for an image.

    Raises:
        ImageError: An input of the image is missing.
    """
    version = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
    commit = ask(["git", "rev-parse", "HEAD"])
    changed = "-dirty" if ask(["git", "status", "--porcelain"]) else ""
    base = resolve_base(engine, image)
    values = {
        "VERSION": version,
        "COMMIT": f"{commit}{changed}",
        "TAG": f"{commit[:12]}{changed}",
        "SOURCE": source(),
        "SOURCE_DATE_EPOCH": ask(["git", "log", "-1", "--format=%ct"]),
        "UV_VERSION": locked_version("uv"),
        "TORCH_VERSION": locked_version("torch"),
        "TORCH_BACKEND": os.environ.get("UV_TORCH_BACKEND", ""),
        "ACCELERATOR": os.environ.get("ACCELERATOR", "cpu"),
        "BASE_IMAGE": base["reference"],
        "BASE_NAME": base["name"],
        "BASE_DIGEST": base["digest"],
    }
    return values | (model_digests() if image == "serving" else {"MODEL_DIGEST": "", "DATASET_DIGEST": ""})


def model_digests() -> dict[str, str]:
    """Return the sha256 of the exported model, and the digest of the dataset that it was trained on.

    Raises:
        ImageError: The stages that write these files have not run.
    """
    model, dataset = ROOT / "artifacts/export/model.onnx", ROOT / "artifacts/dataset/dataset.json"
    for path in (model, dataset):
        if not path.is_file():
            message = f"{path.relative_to(ROOT)} is not there: run `nox -s {path.parent.name}`, which leaves it"
            raise ImageError(message)
    return {
        "MODEL_DIGEST": hashlib.sha256(model.read_bytes()).hexdigest(),
        "DATASET_DIGEST": json.loads(dataset.read_text(encoding="utf-8"))["digest"],
    }


def source() -> str:
    """Return the address of the remote `origin`, or an empty string."""
    try:
        address = ask(["git", "config", "--get", "remote.origin.url"])
    except ImageError:
        return ""
    # A password in front of the host must not end up in a label.
    return re.sub("//[^/@]*@", "//", address)


def locked_version(name: str) -> str:
    """Return the version of a distribution in uv.lock."""
    lock: dict[str, Any] = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    return next(str(package["version"]) for package in lock["package"] if package["name"] == name)


def resolve_base(engine: str, image: str) -> dict[str, str]:
    """Return the base image of an image: its name, its digest, and a reference with both.

    The variable BASE_IMAGE overrides the Dockerfile, and the engine's store is asked before the registry. An image that
    was never in a registry has no digest there: its id is used instead, and its name alone is the reference.

    Raises:
        ImageError: The base image is neither here nor in its registry.
    """
    dockerfile = (ROOT / f"docker/{image}.Dockerfile").read_text(encoding="utf-8")
    (named,) = re.findall(r"^FROM (\S+) AS interpreter$", dockerfile, flags=re.MULTILINE)
    given = os.environ.get("BASE_IMAGE", "")
    name, _, digest = (given or named).partition("@")
    if digest:
        return {"name": name, "digest": digest, "reference": given or named}
    try:
        local = inspect(engine, name)
    except ImageError:
        digest = registry_digest(engine, name)
    else:
        digests = [reference.partition("@")[2] for reference in local["RepoDigests"] or ()]
        if not digests or engine != "docker":
            return {"name": name, "digest": digests[0] if digests else local["Id"], "reference": given}
        digest = digests[0]
    return {"name": name, "digest": digest, "reference": f"{name}@{digest}"}


def registry_digest(engine: str, name: str) -> str:
    """Return the digest of a name in its registry; podman and buildah have to pull the image for that."""
    try:
        if engine == "docker":
            return ask(["docker", "buildx", "imagetools", "inspect", "--format={{.Manifest.Digest}}", name])
        ask([engine, "pull", "--quiet", f"docker.io/library/{name}" if "/" not in name else name])
        return str(inspect(engine, name)["Id"])
    except ImageError as error:
        message = f"the base image {name} is neither here nor in a registry that answers: {error}"
        raise ImageError(message) from error
