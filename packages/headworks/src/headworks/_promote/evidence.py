"""Evidence about a model in the store: the gate's last outcome, and verdicts of the sessions that it went through.

Which sessions those are is read off the verdicts. A verdict names the content of every output that its session read, so
that from the one whose output holds the model's file a way leads up, to the dataset it was made from, and down, to all
that tested it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headworks._store.journal import Journal, journal_of
from headworks._store.tree import MANIFEST_LIMIT, read_manifest
from headworks._store.verdict import is_digest

if TYPE_CHECKING:
    from headworks._store.store import Store
    from headworks._store.verdict import Verdict

GATE = "gate"
_WHEN_PRESENT = "?"
_NEEDS = "needs "


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The state of one check of a model.

    Attributes:
        check: the name of a session, or `gate`.
        state: `passed`, `failed`, `missing`, `not run` where it counts only if it ran, or `outdated` where the gate's
            conditions have changed since, and `replaced` where it did not judge by the model that the anchor is now.
        when: when it ended, ISO 8601 in UTC; empty where it did not run.
        digest: the digest of its verdict; empty for the gate, whose outcomes are kept under the model's own.
        note: the base of a pass of the gate, or the conditions that had none.
        files: the SHA-256 of the files that the gate read, by their paths, for a candidate that replaces the model.
    """

    check: str
    state: str
    when: str = ""
    digest: str = ""
    note: str = ""
    files: dict[str, str] = field(default_factory=dict)

    @property
    def is_enough(self) -> bool:
        """Whether it does not stand in the way of a promotion."""
        return self.state in {"passed", "not run"}


def evidence(
    store: Store,
    model: str,
    checks: Mapping[str, Collection[str]],
    terms: dict[str, Any],
    anchor: str = "",
    earlier: Iterable[Mapping[str, Any]] = (),
) -> list[Evidence]:
    """Return the evidence for each check of a model.

    Args:
        store: Where verdicts and outcomes are.
        model: The SHA-256 of its file.
        checks: `gate`, and each session with the names of its instances, of which every one counts; with `?` those
            that ran.
        terms: The settings that the gate has to have judged by; see `headworks._gate.outcomes.terms`.
        anchor: The SHA-256 of the model that the gate has to have compared with; empty for any.
        earlier: The evidence by which the model was promoted before, whose verdicts need not be in the store any more.
    """
    linked = [(it.session, it.passed, it.finished, it.digest) for it in _linked(store, model, store.ls())]
    known_digest = [row for row in earlier if is_digest(row.get("digest"))]
    rows = [(row["check"], row["state"] == "passed", row["when"], row["digest"]) for row in known_digest]
    failed = store.fetch_failed([digest for *_, digest in (*rows, *linked)])
    last = {
        check: Evidence(
            check=check, state="passed" if passed and digest not in failed else "failed", when=when, digest=digest
        )
        for check, passed, when, digest in sorted([*rows, *linked], key=lambda row: row[2])
    }
    listed: list[Evidence] = []
    for name, instances in checks.items():
        check = name.removesuffix(_WHEN_PRESENT)
        known = _of_gate(store, model, terms, anchor) if check == GATE else []
        known += [last[session] for session in last if session in instances]
        listed += known
        if name.endswith(_WHEN_PRESENT):
            listed += [] if known else [Evidence(check=check, state="not run")]
        else:
            absent = sorted(set(instances) - {it.check for it in known}) if known else [check]
            listed += [Evidence(check=it, state="missing") for it in absent]
    return listed


def _of_gate(store: Store, model: str, terms: dict[str, Any], anchor: str) -> list[Evidence]:
    """Return the gate's last outcome for a model by these terms; a damaged entry may have been that."""
    journals = [Journal(store.root, "gates", model).entries()]
    journals += [] if store.remote is None else [journal_of(store, "gates", model).entries()]
    same = [[it or {} for it in entries if it is None or it.get("terms") == terms] for entries in journals]
    if not any(same):
        return [Evidence(check=GATE, state="outdated")] if any(journals) else []
    lasts = [entries[-1] for entries in same if entries]
    last = {} if {} in lasts else max(lasts, key=lambda it: str(it.get("when")))
    state = "passed" if last.get("outcome") == "passes" else "failed"
    if state == "passed" and anchor not in {"", last.get("anchor")}:
        state = "replaced"
    when, files = str(last.get("when", "")), last.get("files", {})
    return [Evidence(check=GATE, state=state, when=when, note=_rests_on(last), files=files)]


def _rests_on(entry: dict[str, Any]) -> str:
    """Return the base of an outcome of the gate."""
    if unjudged := entry.get("unjudged"):
        is_first = not entry.get("conditions")
        return (
            "the first model, judged by nothing"
            if is_first
            else f"nothing to compare with yet for {', '.join(unjudged)}"
        )
    if first := entry.get("first"):
        return f"base: the first predictions of {', '.join(first)}"
    base = str(entry.get("base", ""))
    return f"base {base[:12]}" if base else ""


def _linked(store: Store, model: str, verdicts: Sequence[Verdict]) -> Iterator[Verdict]:
    """Yield the verdicts of sessions that made a model or read it, in the order in which they ended."""
    first = [it for it in verdicts if any(_holds(store, content, model) for content in it.outputs.values())]
    chain = list(first)
    for verdict in chain:  # grows while it is read
        chain += [one for one in verdicts if one.passed and one not in chain and _reads(verdict, one)]
    chain += [it for it in verdicts if any(_reads(it, one) for one in first)]
    digests = {it.digest for it in chain}
    yield from (it for it in verdicts if it.digest in digests)


def _reads(reader: Verdict, source: Verdict) -> bool:
    """Tell whether a session read an output of another, just as that left it."""
    return any(
        reader.components.get(f"{_NEEDS}{source.session}: {path}") == content[:16]
        for path, content in source.outputs.items()
    )


def _holds(store: Store, content: str, model: str) -> bool:
    """Tell whether an output has a file with a SHA-256."""
    data = store.blobs.get_bytes(content, MANIFEST_LIMIT)
    rows = None if data is None else read_manifest(data)
    return any(kind in {"file", "program"} and value == model for _, kind, value in rows or ())
