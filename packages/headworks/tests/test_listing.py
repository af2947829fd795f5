"""A listing is searched and cut exactly as a sorted list of paths would be."""

from hypothesis import example, given
from hypothesis import strategies as st

from headworks._tree.listing import FILE, Listing, record

OID = b"0123456789abcdef0123456789abcdef01234567"
# Few letters, so that names collide; a tab and letters around the slash, so that order and search are put to the test.
NAMES = st.text(alphabet="ab.0\t-", min_size=1, max_size=3).map(str.encode)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(b"/".join)


def listing(paths: set[bytes]) -> Listing:
    """Return the listing of some files."""
    return Listing(b"".join(record(FILE, OID, path) for path in sorted(paths)))


@given(st.sets(PATHS, max_size=12), PATHS)
def test_a_file_is_found_where_it_is(paths: set[bytes], asked: bytes) -> None:
    """Every path of the listing has its mode and id, and no other has."""
    files = listing(paths)
    assert files.paths() == sorted(paths)
    assert all(files.get(path) == (FILE, OID) for path in paths)
    assert (files.get(asked) is not None) == (asked in paths)


@given(st.sets(PATHS, max_size=12), st.sets(PATHS, max_size=4))
def test_a_folder_is_one_slice(paths: set[bytes], folders: set[bytes]) -> None:
    """The slice holds exactly the files below the folder, found one by one or many at once."""
    files = listing(paths)
    spans = files.spans(folders)
    for folder in folders:
        expected = [path for path in sorted(paths) if path.startswith(folder + b"/")]
        assert [path for _, _, path in files.records(*files.below(folder))] == expected
        assert [path for _, _, path in files.records(*spans[folder])] == expected
    assert files.below(b"") == (0, len(files.raw))


def tree(paths: set[bytes]) -> set[bytes]:
    """Return the paths that can be together in one tree: none is a folder of another."""
    return {path for path in paths if not any(other.startswith(path + b"/") for other in paths)}


@given(st.sets(PATHS, max_size=12), PATHS, PATHS)
@example({b"p/a\tp/q/z"}, b"p", b"q")
@example({b"p/a\tp/q/z", b"p/q/r", b"p/q/s"}, b"p", b"q")
@example({b"p/q"}, b"p", b"q")
def test_what_lies_within_a_slice_is_found_in_it(paths: set[bytes], folder: bytes, name: bytes) -> None:
    """A file or folder is cut from its package's slice just as from the whole listing, tabs in names or not."""
    files, path = listing(tree(paths)), folder + b"/" + name
    expected = [it for it in files.paths() if it == path or it.startswith(path + b"/")]
    found = files.inner(files.below(folder), path)
    assert [it for _, _, it in files.records(*(found or (0, 0)))] == expected


@given(st.sets(PATHS, max_size=12), st.dictionaries(PATHS, st.booleans(), max_size=5))
def test_changes_go_where_they_belong(paths: set[bytes], changes: dict[bytes, bool]) -> None:
    """A changed file's record is exchanged, a deleted one's is gone, a new one's is in its place."""
    new = {path: record(b"100755", OID, path) if stays else b"" for path, stays in changes.items()}
    files = listing(paths).replaced(new)
    kept = {path for path in paths | set(changes) if changes.get(path, True)}
    assert files.paths() == sorted(kept)
    assert all(files.get(path) == (b"100755", OID) for path, stays in changes.items() if stays)


def test_all_records_of_a_conflict_are_exchanged() -> None:
    """A file in conflict has one record for each side, and one after it is resolved."""
    sides = b"".join(b"M 100644 %b %d\tb\0" % (OID, stage) for stage in (1, 2, 3))
    files = Listing(record(FILE, OID, b"a") + sides + record(FILE, OID, b"c"))
    assert files.replaced({b"b": record(FILE, OID, b"b")}).raw == listing({b"a", b"b", b"c"}).raw
