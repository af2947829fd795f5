"""Publishes an uploaded artifact as the site of GitHub Pages, and waits until it is online.

publish_pages.py ARTIFACT
    the number of an artifact `github-pages`, which holds one artifact.tar

Reads the variables of GitHub Actions, in a job with the permissions `pages: write` and `id-token: write`. The address
of the site is added to GITHUB_OUTPUT as `url`.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from github_api import GitHub

_FINAL: Final = frozenset({"deployment_failed", "deployment_content_failed", "deployment_cancelled", "deployment_lost"})
_LIMIT: Final = 600.0  # seconds, as long as GitHub's own action waits
_LONGEST_PAUSE: Final = 30.0


class PublishError(RuntimeError):
    """GitHub did not publish the site."""


def identity() -> str:
    """Return the token by which GitHub itself says which workflow this is.

    Raises:
        PublishError: The job may not ask for it.
        OSError: GitHub could not be reached, or refused.
    """
    if "ACTIONS_ID_TOKEN_REQUEST_URL" not in os.environ:
        message = "the job may not ask who it is: give it the permission `id-token: write`"
        raise PublishError(message)
    headers = {"Authorization": f"Bearer {os.environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
    request = urllib.request.Request(os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"], headers=headers)  # noqa: S310 - GitHub's own
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
        return str(json.load(answer)["value"])


def publish(artifact: int) -> str:
    """Publish an artifact and return the address of the site once it is online.

    Raises:
        PublishError: GitHub did not publish it, or not in time.
        OSError: GitHub could not be reached, or refused.
    """
    github = GitHub()
    content = {"artifact_id": artifact, "pages_build_version": os.environ["GITHUB_SHA"], "oidc_token": identity()}
    deployment = github.call("POST", "pages/deployments", content)
    pause, end = 1.0, time.monotonic() + _LIMIT
    while (status := github.call("GET", f"pages/deployments/{deployment['id']}")["status"]) != "succeed":
        if status in _FINAL:
            message = f"GitHub says {status}; the log of Pages is under Deployments. Run this job again."
            raise PublishError(message)
        if time.monotonic() > end:
            message = f"the site is not online after {_LIMIT:.0f} seconds, its state is {status}. Run this job again."
            raise PublishError(message)
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    return str(deployment["page_url"])


def main(artifact: str) -> int:
    """Publish, and return 1 with one line about what went wrong."""
    try:
        url = publish(int(artifact))
    except urllib.error.HTTPError as error:
        hint = "; under Settings, Pages, the source has to be GitHub Actions" * (error.code in {403, 404, 422})
        sys.stderr.write(f"publish_pages: error: {error}{hint}\n")
        return 1
    except (OSError, ValueError, PublishError) as error:
        sys.stderr.write(f"publish_pages: error: {error}\n")
        return 1
    sys.stdout.write(f"{url} is online.\n")
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as output:
        output.write(f"url={url}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
