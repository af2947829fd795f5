"""The container engine that answers on this machine: docker, else podman, else buildah.

As a program it prints the name of that engine. Where none answers it prints what was tried: in CI that is an error, on
a laptop the caller may skip what needs an engine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).parents[1]
# What each engine must answer before it is taken.
QUESTIONS: Final = {
    "docker": (("docker", "info"), ("docker", "buildx", "version")),
    "podman": (("podman", "info"),),
    "buildah": (("buildah", "info"),),
}


class ImageError(Exception):
    """An image cannot be built or read; the message says what to do."""


def ask(command: Sequence[str]) -> str:
    """Return what a command prints; it runs in the repository's root.

    Raises:
        ImageError: It fails, or there is no such program.
    """
    if shutil.which(command[0]) is None:
        msg = f"there is no program {command[0]} here"
        raise ImageError(msg)
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        complaint = (done.stderr or done.stdout).strip().rpartition("\n")[2]
        msg = f"`{' '.join(command[:4])}` failed: {complaint or f'exit code {done.returncode}'}"
        raise ImageError(msg)
    return done.stdout.strip()


def find_engine() -> str:
    """Return the name of the first engine that answers.

    Raises:
        ImageError: None does.
    """
    reasons = []
    for name, questions in QUESTIONS.items():
        try:
            for question in questions:
                ask(question)
        except ImageError as error:
            reasons.append(str(error))
        else:
            return name
    msg = f"No container engine answers ({'; '.join(reasons)}). Start Docker with buildx, or install podman or buildah."
    raise ImageError(msg)


def build(engine: str, image: str, variables: Mapping[str, str], *, options: Sequence[str] = ()) -> None:
    """Build an image under the tags of `tags`, showing the engine's progress.

    Args:
        engine: docker, podman or buildah.
        image: The stem of its Dockerfile.
        variables: The build arguments, by name.
        options: Further options of the engine's build command, such as `--no-cache`.

    Raises:
        ImageError: The build failed; the engine has shown why.
    """
    if engine == "docker":
        command = ["docker", "buildx", "bake", "--load", "--file=docker/docker-bake.hcl", *options, image]
    else:
        dockerfile = f"docker/{image}.Dockerfile"
        # The format of OCI knows no health check.
        command = [
            engine,
            "build",
            "--format=docker",
            f"--file={dockerfile}",
            f"--ignorefile={dockerfile}.dockerignore",
        ]
        command += [f"--timestamp={variables['SOURCE_DATE_EPOCH']}", *options]
        if base := variables["BASE_IMAGE"]:
            command.append(f"--build-context=interpreter=docker-image://{base}")
        command += [f"--build-arg={name}={value}" for name, value in variables.items()]
        command += [*(f"--tag={tag}" for tag in tags(image, variables)), "."]
    done = subprocess.run(command, cwd=ROOT, check=False, env={**os.environ, **variables})
    if done.returncode:
        msg = f"{engine} did not build the image {image}: see above what it reports"
        raise ImageError(msg)


def tags(image: str, variables: Mapping[str, str]) -> list[str]:
    """Return the names that an image gets: one of the version, and one of the version and commit."""
    version = variables["VERSION"]
    return [f"headworks-{image}:{version}", f"headworks-{image}:{version}-{variables['TAG']}"]


def inspect(engine: str, name: str) -> dict[str, Any]:
    """Return what an engine says about an image in its store: Id, Size, RootFS and Config among others.

    Raises:
        ImageError: It has no such image.
    """
    found: dict[str, Any]
    if engine == "buildah":
        told = json.loads(ask(["buildah", "inspect", "--type=image", name]))
        found = {"Id": told["FromImageID"], "Config": told["Docker"]["config"], "RepoDigests": []}
        found["RootFS"] = {"Layers": told["OCIv1"]["rootfs"]["diff_ids"]}
    else:
        (found,) = json.loads(ask([engine, "image", "inspect", name]))
    found["Id"] = f"sha256:{found['Id'].removeprefix('sha256:')}"
    return found


def run_python(engine: str, name: str, code: str) -> str:
    """Return what Python code prints in an image, run as root without a network, so that it sees every file."""
    if engine == "buildah":
        container = ask(["buildah", "from", "--pull=never", name])
        try:
            return ask(["buildah", "run", "--network=none", "--user=0", container, "--", "python", "-c", code])
        finally:
            ask(["buildah", "rm", container])
    command = [engine, "run", "--rm", "--network=none", "--user=0", "--entrypoint=python", name, "-c", code]
    return ask(command)


def main() -> int:
    """Print the engine that answers; without one, say so, and fail in CI."""
    try:
        sys.stdout.write(f"{find_engine()}\n")
    except ImageError as error:
        sys.stdout.write(f"{error}\n")
        return int("CI" in os.environ)
    return 0


if __name__ == "__main__":
    sys.exit(main())
