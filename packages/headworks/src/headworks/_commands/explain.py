"""Show every input of a session's digest, and what differs from the base and from when it passed last."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from headworks._lines import complain, say, shown, text_of
from headworks._plan.explanation import Explanation, explain

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("session", metavar="SESSION", help="a session as nox takes it, as in tests-3.13(data)")
    parser.add_argument("--base", metavar="REF", help="say what changed since HEAD parted from this revision")
    parser.add_argument("--format", choices=["text", "json"], default="text")


def run(arguments: argparse.Namespace) -> int:
    """Explain a session of the project that the working folder is in."""
    found = explain(os.curdir, arguments.session, base=arguments.base)
    complain(found.lost)
    if arguments.format == "json":
        say(json.dumps(_data(found), indent=2))
    else:
        say(text_of(_lines(found)))
    return 0


def _data(found: Explanation) -> dict[str, object]:
    """Return an explanation as it is written in JSON."""
    return {
        "format": 1,
        "name": found.planned.session.name,
        "state": found.planned.state,
        "basis": found.planned.basis or None,
        "digest": found.planned.digest,
        "base": found.base or None,
        "reasons": list(found.planned.reasons),
        "last": found.last
        and {"digest": found.last.digest, "finished": found.last.finished, "commit": found.last.commit},
        "since": None if found.since is None else list(found.since),
        "parts": dict(found.parts),
    }


def _lines(found: Explanation) -> Iterator[str]:
    """Yield an explanation line by line."""
    planned, last = found.planned, found.last
    yield f"{planned.session.name}: {planned.state}" + (f" ({planned.basis})" if planned.basis else "")
    yield f"  digest {planned.digest or 'not known before the sessions that it needs have run'}"
    if planned.reasons:
        yield f"  why{f', compared with {found.base}' if found.base else ''}"
        yield from (f"    {reason}" for reason in planned.reasons)
    if last is None:
        yield "  it has not passed yet"
    else:
        yield f"  since it last passed, on {last.finished[:10]}{f' at {last.commit[:12]}' if last.commit else ''}"
        yield from (f"    {it}" for it in found.since or ("nothing changed",))
    yield "  its digest is made of" + (", as it was seen then" if last is not None and last.core else "")
    parts = {shown(name): value for name, value in found.parts.items()}
    width = max(map(len, parts))
    yield from (f"    {name:{width}}  {value}" for name, value in parts.items())
