"""Show promoted models in MLflow's registry, or take a candidate from there.

The server is the one in MLFLOW_TRACKING_URI, unless --tracking-uri names another.
"""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._commands.promote import LackingError, proof, settings_for
from headworks._commands.promotions import path_of
from headworks._lines import complain, say, text_of
from headworks._promote.alias import Move, current
from headworks._promote.mlflow import CONTENT, Registry
from headworks._store.files import publish, unfinished
from headworks._store.store import Store
from headworks.errors import Exit, UsageError

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the two directions."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    push = actions.add_parser("push", help="make the model of an alias a version in MLflow, and set the alias there")
    push.add_argument("alias", metavar="ALIAS", help="an alias, as in production")
    push.add_argument("--name", required=True, metavar="MODEL", help="the registered model")
    pull = actions.add_parser("pull", help="download a version's file as a candidate, and check its evidence")
    pull.add_argument("version", metavar="VERSION", help="NAME@ALIAS or NAME/NUMBER, as in digits@production")
    pull.add_argument("--output", required=True, metavar="FILE", help="where to write it")
    pull.add_argument("--to", metavar="ALIAS", help="the alias it is a candidate for; that of MLflow unless given")
    for action in (push, pull):
        action.add_argument("--tracking-uri", metavar="URL", help="the address of MLflow's server")


def run(arguments: argparse.Namespace) -> int:
    """Do it and return the exit code."""
    given = arguments.tracking_uri
    registry = Registry(os.environ.get("MLFLOW_TRACKING_URI", "") if given is None else given)
    return _push(registry, arguments) if arguments.action == "push" else _pull(registry, arguments)


def _push(registry: Registry, arguments: argparse.Namespace) -> int:
    """Publish what an alias points to."""
    store, alias = Store.default(), arguments.alias
    move = current(store, alias)
    file = Path(path_of(store, move))
    version, is_new = registry.publish(file, arguments.name, move.content, move.file)
    registry.tag(version, _tags(store, move))
    before, moved = registry.move(alias, version)
    if before not in {moved, version.number}:
        was, left = (f"version {it}" if it else "no version" for it in (before, moved))
        complain(
            f"warning: somebody else moved {version.model}@{alias} in MLflow: it was {was}, and the last push had left"
            f" {left}. Now it is version {version.number}."
        )
    made = "new" if is_new else "which was there"
    say(text_of([f"{version.model}@{alias} is version {version.number} ({made}): {move.content[:12]} ({move.file})"]))
    return Exit.PASSED


def _tags(store: Store, move: Move) -> dict[str, str]:
    """Return the tags that say what a model was promoted by."""
    digests = {it["digest"] for it in move.evidence if it.get("digest")}
    proven = {it.digest: it for it in store.ls() if it.digest in digests}
    commits = [it.commit for it in sorted(proven.values(), key=lambda it: it.finished)]
    rows = [{key: it[key] for key in ("check", "state", "when")} for it in move.evidence]
    tags = {"evidence": json.dumps(rows), "promoted": move.when, "commit": commits[-1] if commits else ""}
    return {f"headworks.{key}": value for key, value in tags.items()}


def _pull(registry: Registry, arguments: argparse.Namespace) -> int:
    """Download a version and judge whether it could be promoted."""
    reference, output = arguments.version.removeprefix("models:/"), Path(arguments.output)
    alias = arguments.to or reference.rpartition("@")[2]
    if "@" not in reference and not arguments.to:
        message = f"Say by --to which alias {reference} is a candidate for, as in --to production."
        raise UsageError(message)
    settings, version = settings_for(alias), registry.version(reference)
    what = f"version {version.number} of {version.model}"
    with unfinished(output.parent) as part:
        content = registry.fetch(version, output.suffix, part)
        if (tagged := version.tags.get(CONTENT, content)) != content:
            complain(
                f"The file of {what} in MLflow is {content[:12]}, and its tag {CONTENT} says {tagged[:12]}: one of them"
                f" was changed. {output} was not written; push the model again, or take another version."
            )
            return Exit.FAILED
        publish({part: output})
    say(
        text_of(
            [
                f"{output} is {what}, {content[:12]}"
                + ("" if CONTENT in version.tags else f", without the tag {CONTENT}")
            ]
        )
    )
    try:
        proven = proof(Store.default(), settings, content, alias)
    except LackingError as error:
        complain(str(error))
        return Exit.FAILED
    said = ", ".join(f"{it.check} {it.state}" for it in proven)
    command = shlex.join(["headworks", "promote", str(output), "--to", alias])
    say(text_of([f"It may be promoted to {alias} ({said}): `{command}`"]))
    return Exit.PASSED
