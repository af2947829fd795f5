"""Finds the container engine of this machine: docker, else podman, else buildah.

As a program it prints the name of the first that answers. If none does, it prints the reasons: in CI that is an error,
on a laptop the caller may skip sessions that need an engine.
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
# The commands that have to succeed before an engine is used.
QUESTIONS: Final = {
    "docker": (("docker", "info"), ("docker", "buildx", "version")),
    "podman": (("podman", "info"),),
    "buildah": (("buildah", "info"),),
}


class ImageError(Exception):
    """An image cannot be built or read; the message says what to do."""


def ask(command: Sequence[str]) -> str:
    """Run a command in the repository's root and return its output.

    Raises:
        ImageError: It failed, or there is no such program.
    """
    if shutil.which(command[0]) is None:
        message = f"there is no program {command[0]} here"
        raise ImageError(message)
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        complaint = (done.stderr or done.stdout).strip().rpartition("\n")[2]
        message = f"`{' '.join(command[:4])}` failed: {complaint or f'exit code {done.returncode}'}"
        raise ImageError(message)
    return done.stdout.strip()


def find_engine() -> str:
    """Return the name of the first engine that answers.

    Raises:
        ImageError: No engine answers.
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
    message = (
        f"No container engine answers ({'; '.join(reasons)}). Start Docker with buildx, or install podman or buildah."
    )
    raise ImageError(message)


def build(engine: str, image: str, variables: Mapping[str, str], *, options: Sequence[str] = ()) -> None:
    """Build an image with the names of `tags`, showing the engine's progress.

    Args:
        engine: The program: docker, podman or buildah.
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
        # The OCI format has no health checks.
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
        message = f"{engine} did not build the image {image}: see its output above"
        raise ImageError(message)


def tags(image: str, variables: Mapping[str, str]) -> list[str]:
    """Return the names of an image: one with the version, and one with the version and the commit."""
    version = variables["VERSION"]
    return [f"headworks-{image}:{version}", f"headworks-{image}:{version}-{variables['TAG']}"]


def inspect(engine: str, name: str) -> dict[str, Any]:
    """Return the properties of an image in an engine's store: Id, Size, RootFS and Config among others.

    Raises:
        ImageError: The store has no such image.
    """
    image: dict[str, Any]
    if engine == "buildah":
        inspected = json.loads(ask(["buildah", "inspect", "--type=image", name]))
        image = {"Id": inspected["FromImageID"], "Config": inspected["Docker"]["config"], "RepoDigests": []}
        image["RootFS"] = {"Layers": inspected["OCIv1"]["rootfs"]["diff_ids"]}
    else:
        (image,) = json.loads(ask([engine, "image", "inspect", name]))
    image["Id"] = f"sha256:{image['Id'].removeprefix('sha256:')}"
    return image


def run_python(engine: str, name: str, code: str) -> str:
    """Run Python code in an image, as root to see every file and without a network, and return its output."""
    if engine == "buildah":
        container = ask(["buildah", "from", "--pull=never", name])
        try:
            return ask(["buildah", "run", "--network=none", "--user=0", container, "--", "python", "-c", code])
        finally:
            ask(["buildah", "rm", container])
    command = [engine, "run", "--rm", "--network=none", "--user=0", "--entrypoint=python", name, "-c", code]
    return ask(command)


def main() -> int:
    """Print the engine that answers, or why there is none, which is an error in CI."""
    try:
        sys.stdout.write(f"{find_engine()}\n")
    except ImageError as error:
        sys.stdout.write(f"{error}\n")
        return int("CI" in os.environ)
    return 0


if __name__ == "__main__":
    sys.exit(main())
