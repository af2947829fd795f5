"""Publishes the image that was tested on this machine, and joins those of several platforms under one name.

push.py push REGISTRY version|commit PLATFORM FOLDER
    push the recorded image, named by its version or its commit; write FOLDER/PLATFORM.json and FOLDER/PLATFORM.cdx.json
push.py join FOLDER OUTPUT
    give the images in FOLDER the name without a platform

The registry's answer gives the digest of the pushed image; later steps name the image by that digest alone. The joined
name and all digests are added to OUTPUT, as GITHUB_OUTPUT.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

RECORD: Final = Path("artifacts/build-images/serving")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class PushError(RuntimeError):
    """An image could not be published."""


def docker(*arguments: str) -> str:
    """Run docker and return what it prints.

    Raises:
        PushError: It exited with an error.
    """
    done = subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        message = f"docker {' '.join(arguments)} exited with {done.returncode}: {done.stderr.strip()}"
        raise PushError(message)
    return done.stdout


def push(registry: str, tagged_by: str, platform: str, folder: Path) -> None:
    """Push the recorded image, which is the one that was tested, and write its name and digest in the registry."""
    record = json.loads((RECORD / "image.json").read_text(encoding="utf-8"))
    local = record["tags"][-1]
    if docker("image", "inspect", "--format={{.Id}}", local).strip() != record["id"]:
        message = f"{local} is not the image that was recorded. Run `nox -s build-images test-images` and push again."
        raise PushError(message)
    name = f"{registry.lower()}/{local.rpartition('/')[2].partition(':')[0]}"
    tag = record["variables"][{"version": "VERSION", "commit": "COMMIT"}[tagged_by]]
    if tag.endswith("-dirty"):
        message = f"{local} is of no commit: the work tree had other files. Build it again from a clean one."
        raise PushError(message)
    docker("tag", record["id"], f"{name}:{tag}-{platform}")
    digests = _DIGEST.findall(docker("push", f"{name}:{tag}-{platform}"))
    if not digests:
        message = f"The registry did not say which digest {name}:{tag}-{platform} has. Push again."
        raise PushError(message)
    folder.mkdir(parents=True, exist_ok=True)
    about = {"name": name, "tag": tag, "digest": digests[-1], "platform": platform}
    (folder / f"{platform}.json").write_text(json.dumps(about), encoding="utf-8")
    shutil.copy(RECORD / "sbom.cdx.json", folder / f"{platform}.cdx.json")


def join(folder: Path, output: Path) -> None:
    """Join the pushed images of all platforms under one name."""
    images = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json")) if path.stem.isalnum()
    ]
    names = {(image["name"], image["tag"]) for image in images}
    if len(names) != 1:
        message = f"{folder} holds images of {len(names)} names; they have to be of one. Push all of one commit."
        raise PushError(message)
    [(name, tag)] = names
    sources = [f"{name}@{image['digest']}" for image in images]
    docker("buildx", "imagetools", "create", f"--tag={name}:{tag}", *sources)
    digest = docker("buildx", "imagetools", "inspect", "--format={{.Manifest.Digest}}", f"{name}:{tag}").strip()
    with output.open("a", encoding="utf-8") as file:
        file.write(
            f"name={name}\ndigest={digest}\n" + "".join(f"{image['platform']}={image['digest']}\n" for image in images)
        )


def main(action: str, *arguments: str) -> int:
    """Push or join in the root of the repository; return 1 and print one line on failure."""
    try:
        if action == "push":
            push(arguments[0], arguments[1], arguments[2], Path(arguments[3]))
        else:
            join(Path(arguments[0]), Path(arguments[1]))
    except (OSError, PushError) as error:
        sys.stderr.write(f"push: error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
