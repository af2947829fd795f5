"""The ledger: the models that each test set has judged, since every answer wears it out.

A test set that has judged many models, each made after the outcome of the last, is no proof any more that a model is
good for rows that it has not seen. So the number of models is limited by `budget`. The same model asks for free.

A test set is known by the content of its rows. Two are the same where two fifths of the rows that either has are in
both, so that another id, one row more or a third of them exchanged starts nothing anew. For that, each entry has a
sketch: the smallest hashes of its rows.

Sources:
    Renggli et al., "Continuous integration of machine learning models with ease.ml/ci", MLSys 2019, section 2.2.
    Broder, "On the resemblance and containment of documents", SEQUENCES 1997: the sketch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from headworks._store.files import names, seal_json
from headworks._store.journal import Entry, Journal, read_entry
from headworks._store.verdict import is_digest
from headworks.errors import CannotDecideError, ConfigurationError

if TYPE_CHECKING:
    from headworks._store.remote import Remote

_LEDGER = "ledger"
_SKETCH = 256  # hashes, which tell a share of two fifths to within 0.06 nineteen times in twenty
_HASH = re.compile(r"[0-9a-f]{16}")
_WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
_MOST_ROWS = 10**12
_FORM = 1
LARGEST_FILE = 1 << 20  # bytes of the questions of another run; one has 6,300
_MOST_NEW = 64  # questions of another run


class Charge(NamedTuple):
    """The number of a model among those that asked a test set, how many may, and whether it had not asked before."""

    step: int
    budget: int
    is_new: bool


class AskedRows(NamedTuple):
    """A test set: how many different rows it has, and the smallest of their hashes in order."""

    number: int
    sketch: tuple[str, ...]

    @classmethod
    def of(cls, hashes: Iterable[str]) -> AskedRows:
        """Return the test set of rows with these hashes."""
        rows = sorted(set(hashes))
        return cls(len(rows), tuple(rows[:_SKETCH]))

    @property
    def digest(self) -> str:
        """The SHA-256 of all this."""
        return sha256(f"{self.number} {' '.join(self.sketch)}".encode()).hexdigest()

    def is_same(self, other: AskedRows) -> bool:
        """Tell whether about two fifths of the rows that either has are in both; with a third exchanged, a half is."""
        mine, theirs = set(self.sketch), set(other.sketch)
        smallest = sorted(mine | theirs)[:_SKETCH]
        return 5 * len(mine & theirs & set(smallest)) >= 2 * len(smallest)


def charge(root: str, rows: AskedRows, model: str, *, budget: int, when: str, remote: Remote | None = None) -> Charge:
    """Record that a model asks a test set, before it is told anything.

    Entries in a remote store count as well. Where this run may write there, its entry is written before what others
    wrote is read, so that of several which ask at a time no more are told than the budget allows:
    where there are more entries than that, no model is told anything.

    Args:
        root: The store's folder.
        rows: The rows that are asked.
        model: The SHA-256 of the model's predictions.
        budget: How many models may.
        when: The time, ISO 8601 in UTC.
        remote: A store that others read too, if any.

    Raises:
        CannotDecideError: The budget is spent, or the remote's ledger cannot be read.
        StoreError: The ledger cannot be written.
    """
    journal = Journal(root, _LEDGER, rows.digest)
    _take_remote(root, remote)
    known: list[bool] = []

    def entry(_: list[Entry | None]) -> Entry | None:
        models, lost = _asked(root, rows)
        known[:] = [model in models]
        if known[0]:
            return None
        if len(models) + lost >= budget:
            raise CannotDecideError(_spent(rows, budget))
        return {"number": rows.number, "sketch": list(rows.sketch), "model": model, "when": when}

    added = journal.append(entry)
    if added is not None and remote is not None and remote.writes:
        # By the name of its model, so that two runs never write the same entry.
        remote.write(f"{_LEDGER}/{rows.digest}/{model}", seal_json(added), what="The ledger")
        _take_remote(root, remote)
    models, lost = _asked(root, rows)
    if len(models) + lost > budget:  # whatever their times say, since clocks differ
        raise CannotDecideError(_spent(rows, budget))
    order = sorted(models, key=lambda name: (models[name], name))
    return Charge(step=1 + lost + order.index(model), budget=budget, is_new=not known[0])  # damaged entries come first


def _asked(root: str, rows: AskedRows) -> tuple[dict[str, str], int]:
    """Return the models that asked a test set, each with the time when it did first, and how many entries are lost."""
    models: dict[str, str] = {}
    lost = 0
    for name in names(f"{root}/{_LEDGER}"):
        entries = Journal(root, _LEDGER, name).entries()
        whole = [it for it in entries if it is not None]
        others = [it for it in map(_rows_of, whole) if it is not None]
        # Whether a folder with nothing but damaged entries is about these rows, nobody can tell.
        if name == rows.digest or not whole or any(rows.is_same(it) for it in others):
            lost += entries.count(None)
            for it in whole:
                model, when = str(it.get("model")), str(it.get("when"))
                models[model] = min(when, models.get(model, when))
    return models, lost


def _rows_of(entry: Entry) -> AskedRows | None:
    """Return the rows that an entry is about; None where it does not say them rightly."""
    number, sketch = entry.get("number"), entry.get("sketch")
    if not isinstance(number, int) or not 0 < number <= _MOST_ROWS or not isinstance(sketch, list):
        return None
    is_right = len(sketch) == min(number, _SKETCH) and all(isinstance(it, str) and _HASH.fullmatch(it) for it in sketch)
    return AskedRows(number, tuple(sketch)) if is_right else None


def _take_remote(root: str, remote: Remote | None) -> None:
    """Add the entries of a remote store to the ledger; one that is damaged there counts by its name."""
    for test_set in sorted(remote.names(_LEDGER)) if remote is not None else ():
        entries = remote.read_folder(f"{_LEDGER}/{test_set}") if remote is not None and is_digest(test_set) else {}
        nothing: Entry = {"when": ""}
        taken = [(read_entry(data) or nothing) | {"model": name} for name, data in sorted((entries or {}).items())]
        Journal(root, _LEDGER, test_set).merge(taken, "model")
    if remote is not None and remote.problems:
        message = (
            f"How often the test set was asked is not known: {' '.join(remote.problems)} Ask again when it can be"
            " reached, or without HEADWORKS_REMOTE, to count what this machine alone knows."
        )
        raise CannotDecideError(message)


def _spent(rows: AskedRows, budget: int) -> str:
    return (
        f"The test set {rows.digest[:12]} has judged {budget} models, which is its whole budget: another outcome would"
        " say little about rows that no model has seen. Refresh it with rows that were never used, as with another salt"
        " of the splits; or raise `budget` in [tool.headworks.gate], and `headworks gate --plan` says what that needs."
    )


def all_asked(root: str) -> list[Entry]:
    """Return every entry of the ledger that can be read, in the order of time."""
    journals = [Journal(root, _LEDGER, name) for name in names(f"{root}/{_LEDGER}")]
    entries = [it for journal in journals for it in journal.entries() if it is not None and _rows_of(it) is not None]
    return sorted(entries, key=lambda it: (str(it.get("when")), str(it.get("model"))))


def damaged(root: str) -> int:
    """Return how many entries of the ledger cannot be read; each counts as a model that asked."""
    return sum(Journal(root, _LEDGER, name).entries().count(None) for name in names(f"{root}/{_LEDGER}"))


def as_json(entries: Iterable[Entry]) -> str:
    """Return entries in the form that `take` reads."""
    return json.dumps({"format": _FORM, "asked": list(entries)}, indent=1) + "\n"


def without(entries: Iterable[Entry], data: bytes, source: str) -> list[Entry]:
    """Return the entries that are not in a file, which this project wrote with `as_json`.

    Raises:
        ConfigurationError: The file holds anything else.
    """
    known = {_question(entry) for _, entry in _read(data, source)}
    return [it for it in entries if _question(it) not in known]


def take(root: str, files: Mapping[str, bytes]) -> int:
    """Add the entries of another run, which nobody needs to trust: nothing but digests, numbers and times is taken.

    Args:
        root: The store's folder.
        files: By its name for people, what `as_json` gave there.

    Returns:
        How many entries are new.

    Raises:
        ConfigurationError: A file is too large, or holds anything else, or too many are new; then nothing is taken.
        StoreError: The ledger cannot be written.
    """
    known = {_question(it) for it in all_asked(root)}
    asked = [it for source, data in files.items() for it in _read(data, source, LARGEST_FILE)]
    new = {question: it for it in asked if (question := _question(it[1])) not in known}
    if len(new) > _MOST_NEW:
        message = (
            f"{' and '.join(files)} would add {len(new):,} questions to the ledger; no run asks more than {_MOST_NEW}."
            " Nothing was taken. Look at what that run did; with `headworks ledger --output FILE --known OLDER` it"
            " writes only what it asked itself."
        )
        raise ConfigurationError(message)
    for rows, entry in new.values():
        Journal(root, _LEDGER, rows.digest).merge([entry], "model")
    return len(new)


def _question(entry: Entry) -> tuple[object, ...]:
    return entry["number"], *entry["sketch"], entry.get("model")


def _read(data: bytes, source: str, largest: int | None = None) -> list[tuple[AskedRows, Entry]]:
    """Return the entries in a file, all of which are right, each with its rows."""
    try:
        listed = json.loads(data) if largest is None or len(data) <= largest else None
    except (RecursionError, ValueError):
        listed = None
    asked = listed.get("asked") if isinstance(listed, dict) else None
    entries = [_checked(it) for it in asked] if isinstance(asked, list) else [None]
    right = [it for it in entries if it is not None]
    if len(right) < len(entries):
        most = f", of {largest:,} bytes at most" if largest is not None else ""
        message = f"{source} is no ledger as `headworks ledger --output` writes it{most}."
        raise ConfigurationError(message)
    return right


def _checked(entry: Any) -> tuple[AskedRows, Entry] | None:  # noqa: ANN401  # any JSON
    """Return an entry made anew from what is right in it; None where something is not."""
    rows = _rows_of(entry) if isinstance(entry, dict) else None
    if rows is None or not is_digest(entry.get("model")) or not _WHEN.fullmatch(str(entry.get("when"))):
        return None
    known = {"number": rows.number, "sketch": list(rows.sketch), "model": entry["model"], "when": entry["when"]}
    return rows, known
