"""Two datasets compared: what differs is named, measured, and held against limits."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest
from headworks_data import (
    SPLITS,
    Contract,
    Dataset,
    DatasetDiff,
    DiffLimits,
    NearDuplicates,
    Split,
    content_ids,
    diff,
    errors,
    read_settings,
    read_source,
    write,
)
from headworks_data._changes import row_changes
from headworks_data._cli import main
from headworks_data._drift import properties
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

PACKAGE = Path(__file__).parents[1]
A, B, C = ("a" * 64, "b" * 64, "c" * 64)
# A row in three numbers: which image, which of two classes, which of three splits.
ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1), st.integers(0, 2)), max_size=12)


def make(
    images: NDArray[np.uint8],
    labels: list[int],
    places: list[int],
    *,
    classes: tuple[str, ...] = ("cat", "dog"),
    sizes: list[str] | None = None,
) -> Dataset:
    """Return a dataset of given rows, the splits by number; with a slice `size` if it is given."""
    splits = {}
    for number, name in enumerate(SPLITS):
        chosen = np.flatnonzero(np.array(places, np.int64) == number)
        kinds = np.array(labels, np.int64)[chosen]
        slices = {"class": np.array(classes, np.str_)[kinds]}
        slices |= {"size": np.array(sizes, np.str_)[chosen]} if sizes else {}
        splits[name] = Split(ids=content_ids(images[chosen]), images=images[chosen], labels=kinds, slices=slices)
    height, width, channels = images.shape[1:]
    shape = (height, width, channels)
    return Dataset(classes=classes, image_shape=shape, source="folder", salt="s", splits=splits)


def noise(count: int, seed: int = 0, shape: tuple[int, int, int] = (4, 3, 1)) -> NDArray[np.uint8]:
    """Return random images."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def compare(tmp_path: Path, base: Dataset, new: Dataset, **limits: Any) -> DatasetDiff:  # noqa: ANN401 - any limit
    """Write two datasets and compare them, the pixels of near-duplicates up to 2 grey levels apart."""
    write(tmp_path / "base", base)
    write(tmp_path / "new", new)
    near = NearDuplicates(distance=2.0)
    contract = Contract(
        classes=base.classes, image_shape=base.image_shape, near_duplicates=near, diff=DiffLimits(**limits)
    )
    return diff(tmp_path / "base", tmp_path / "new", contract)


PLACES = [0] * 6 + [1] * 3 + [2] * 3
LABELS = [0, 1] * 6


@pytest.fixture
def base() -> Dataset:
    """Return twelve rows."""
    return make(noise(12), LABELS, PLACES, sizes=["big"] * 12)


def test_a_dataset_does_not_differ_from_itself(
    tmp_path: Path, base: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is found, and nothing was judged where no limit is set."""
    found = compare(tmp_path, base, base)
    assert (found.passed, found.limits, found.schema, found.violations) == (True, {}, (), ())
    assert {getattr(found.rows, it.name).count for it in dataclasses.fields(found.rows)} == {0}
    assert {it.cramers_v for it in found.labels.values()} == {0.0}
    assert {it.ks_distance for properties in found.pixels.values() for it in properties.values()} == {0.0}
    assert found.near_duplicates.closest is not None
    assert main(["diff", str(tmp_path / "base"), str(tmp_path / "new")]) == 0
    shown = capsys.readouterr().out
    assert "the rows are the same" in shown
    assert "0 rows added\n0 rows removed\n" in shown
    assert "nothing was judged: a file given with --contract may set limits" in shown


def test_each_way_a_row_can_differ_is_told_from_the_others(tmp_path: Path, base: Dataset) -> None:
    """Added, removed, relabelled, moved and resliced rows are counted, named and grouped."""
    images = np.concatenate([noise(12)[1:], noise(2, seed=1)])
    labels, places = [*LABELS[1:], 0, 1], [*PLACES[1:], 2, 1]
    sizes = ["big"] * 13
    labels[0], places[1], sizes[2] = 0, 2, "small"
    found = compare(tmp_path, base, make(images, labels, places, sizes=sizes)).rows
    ids = content_ids(images).tolist()
    assert dataclasses.asdict(found) == {
        "added": {"count": 2, "rows": tuple(sorted(ids[11:])), "groups": {"validation": 1, "test": 1}},
        "removed": {"count": 1, "rows": (content_ids(noise(1))[0],), "groups": {"train": 1}},
        "relabelled": {"count": 1, "rows": (ids[0],), "groups": {"dog to cat": 1}},
        "moved": {"count": 1, "rows": (ids[1],), "groups": {"train to test": 1}},
        "resliced": {"count": 1, "rows": (ids[2],), "groups": {"size": 1}},
    }


@settings(max_examples=60)
@given(ROWS, ROWS)
def test_the_rows_of_one_side_and_the_changes_give_the_other(
    some: list[tuple[int, int, int]], others: list[tuple[int, int, int]]
) -> None:
    """The numbers add up, also with images that occur twice, and the other direction is the mirror image."""
    images = noise(10)
    one, other = (
        make(images[[it[0] for it in rows]], [it[1] for it in rows], [it[2] for it in rows]) for rows in (some, others)
    )
    found, back = row_changes(one, other), row_changes(other, one)
    assert len(some) + found.added.count - found.removed.count == len(others)
    assert (found.added, found.removed) == (back.removed, back.added)
    assert found.added.count == sum(found.added.groups.values())
    for name in ("relabelled", "moved"):
        mine, theirs = getattr(found, name), getattr(back, name)
        assert (mine.count, mine.rows) == (theirs.count, theirs.rows)
        mirrored = {" to ".join(reversed(it.split(" to "))): count for it, count in theirs.groups.items()}
        assert mine.groups == mirrored


@settings(max_examples=60)
@given(
    *[st.dictionaries(st.integers(0, 5), st.tuples(*[st.integers(0, 1)] * 3), min_size=1)] * 2,
)
def test_datasets_differ_in_a_row_if_their_digests_do(
    some: dict[int, tuple[int, int, int]], others: dict[int, tuple[int, int, int]]
) -> None:
    """Where every image occurs once, no difference is passed over and none is made up."""
    images = noise(6)
    one, other = (
        make(
            images[list(rows)],
            [it[0] for it in rows.values()],
            [it[1] for it in rows.values()],
            sizes=[("big", "small")[it[2]] for it in rows.values()],
        )
        for rows in (some, others)
    )
    found = row_changes(one, other)
    counts = {it.name: getattr(found, it.name).count for it in dataclasses.fields(found)}
    assert any(counts.values()) == (one.digest != other.digest)
    assert counts["relabelled"] == sum(some[it][0] != others[it][0] for it in some.keys() & others)
    assert counts["moved"] == sum(some[it][1] != others[it][1] for it in some.keys() & others)
    assert counts["resliced"] == sum(some[it][2] != others[it][2] for it in some.keys() & others)


def test_a_slice_of_the_class_that_changed_alone_is_told(base: Dataset) -> None:
    """A change of the label explains that of its slice, and nothing else does."""
    test = base.splits["test"]
    slices = {**test.slices, "class": np.array(["cat"] * 3)}
    new = dataclasses.replace(base, splits={**base.splits, "test": dataclasses.replace(test, slices=slices)}, digest="")
    found = row_changes(base, new)
    assert (found.relabelled.count, found.resliced.groups) == (0, {"class": 2})


def test_a_change_of_schema_is_described(tmp_path: Path, base: Dataset) -> None:
    """Classes, columns and the shape of images; rows are relabelled by the names of classes, not their numbers."""
    new = make(noise(12), LABELS, PLACES, classes=("cat", "wolf"))
    found = compare(tmp_path, base, new, same_schema=True)
    assert [(it.what, it.base, it.new) for it in found.schema] == [
        ("classes", "cat, dog", "cat, wolf"),
        ("columns", "id, image, label, class, size", "id, image, label, class"),
        ("column size", "string", None),
    ]
    assert found.rows.relabelled.groups == {"dog to wolf": 6}
    assert found.labels["train"].base == {"cat": 3, "dog": 3, "wolf": 0}
    assert found.labels["train"].new == {"cat": 3, "dog": 0, "wolf": 3}
    assert [(it.rule, it.what) for it in found.violations] == [
        ("schema-change", "classes changed from cat, dog to cat, wolf"),
        ("schema-change", "columns changed from id, image, label, class, size to id, image, label, class"),
        ("schema-change", "column size changed from string to none"),
    ]


def test_images_of_another_shape_are_compared_by_what_both_have(tmp_path: Path, base: Dataset) -> None:
    """Grey and colour share all properties but the colours."""
    new = make(noise(12, shape=(6, 5, 3)), LABELS, PLACES, sizes=["big"] * 12)
    found = compare(tmp_path, base, new)
    image = ("column image", "fixed_shape_tensor<uint8>[4, 3, 1]", "fixed_shape_tensor<uint8>[6, 5, 3]")
    assert [(it.what, it.base, it.new) for it in found.schema] == [image]
    assert list(found.pixels["test"]) == ["brightness", "contrast", "sharpness", "centre_x", "centre_y"]


def test_label_drift_is_pearsons_test_and_cramers_effect(tmp_path: Path) -> None:
    """Against figures worked out by hand: 30 and 10 of two classes become 10 and 30."""
    images = noise(80)
    old = make(images[:40], [0] * 30 + [1] * 10, [0] * 40)
    new = make(images[40:], [0] * 10 + [1] * 30, [0] * 40)
    found = compare(tmp_path, old, new, max_label_drift=0.3)
    # Expected are 20 in each of four cells: 4 x 10^2 / 20 = 20, and the effect is the root of 20 / 80.
    assert found.labels["train"].chi_squared == pytest.approx(20.0)
    assert found.labels["train"].degrees_of_freedom == 1
    assert found.labels["train"].p_value == pytest.approx(7.744e-6, rel=1e-3)
    assert found.labels["train"].cramers_v == pytest.approx(0.5)
    assert (found.labels["test"].cramers_v, found.pixels["test"]) == (None, {})
    (violation,) = found.violations
    assert (violation.rule, violation.where) == ("label-drift", "train")
    assert violation.what == "labels: Cramér's V 0.500 is above 0.3 (p 7.7e-06)"


def test_one_class_on_both_sides_has_no_label_drift(tmp_path: Path) -> None:
    """There is nothing to test."""
    rows = make(noise(4), [0] * 4, [0] * 4)
    assert compare(tmp_path, rows, rows).labels["train"].chi_squared is None


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda it: it // 17, {"brightness", "contrast", "sharpness"}),
        (lambda it: np.pad(it, ((0, 0), (1, 0), (0, 0), (0, 0)))[:, :-1], {"centre_y"}),
        (lambda it: np.pad(it, ((0, 0), (0, 0), (1, 0), (0, 0)))[:, :, :-1], {"centre_x"}),
        (
            lambda it: np.minimum(it.astype(int) + np.random.default_rng(0).integers(0, 40, it.shape), 255),
            {"sharpness"},
        ),
    ],
    ids=["scale", "down", "right", "noise"],
)
def test_pixel_drift_sees_what_happened_to_digits(
    tmp_path: Path, change: Callable[[NDArray[Any]], NDArray[Any]], seen: set[str]
) -> None:
    """The property that a change is about drifts beyond its limit, in every split."""
    images = read_source("digits").images
    places = [number % 3 for number in range(len(images))]
    old = make(images, [number % 2 for number in range(len(images))], places)
    new = make(change(images).astype(np.uint8), [number % 2 for number in range(len(images))], places)
    found = compare(tmp_path, old, new, max_pixel_drift=0.1)
    for name in SPLITS:
        drifted = {it.what.split(":")[0] for it in found.violations if it.where == name}
        assert seen <= drifted
    assert {it.rule for it in found.violations} == {"pixel-drift"}


def test_two_halves_of_one_dataset_have_not_drifted(tmp_path: Path) -> None:
    """Other rows from the same source differ by chance, which the limits of the digits leave room for."""
    rows = read_source("digits")
    order = np.random.default_rng(0).permutation(len(rows.images))
    halves = []
    for chosen in (order[:898], order[898:]):
        places = [number % 3 for number in range(len(chosen))]
        halves.append(make(rows.images[chosen], rows.labels[chosen].tolist(), places, classes=rows.classes))
    found = compare(tmp_path, halves[0], halves[1], max_label_drift=0.1, max_pixel_drift=0.1)
    assert found.passed
    assert max(it.ks_distance for drifts in found.pixels.values() for it in drifts.values()) > 0


def test_properties_are_what_they_are_said_to_be() -> None:
    """Worked out by hand: a bright corner of a 2 by 2 image; black, flat and one-pixel images have properties, too."""
    corner = np.array([[0, 200], [0, 0]], np.uint8).reshape(1, 2, 2, 1)
    assert {name: values.tolist() for name, values in properties(corner).items()} == {
        "brightness": [50.0],
        "contrast": [pytest.approx(np.std([0, 200, 0, 0]))],
        "sharpness": [100.0],
        "centre_x": [0.75],
        "centre_y": [0.25],
    }
    tinted = np.full((2, 1, 1, 3), [10, 20, 60], np.uint8)
    tinted[1] = 0
    assert {name: values.tolist() for name, values in properties(tinted).items()} == {
        "brightness": [30.0, 0.0],
        "contrast": [0.0, 0.0],
        "sharpness": [0.0, 0.0],
        "centre_x": [0.5, 0.5],
        "centre_y": [0.5, 0.5],
        "red": [10.0, 0.0],
        "green": [20.0, 0.0],
        "blue": [60.0, 0.0],
    }


def test_flat_images_have_no_effect_in_deviations(tmp_path: Path) -> None:
    """Where nothing varies, the means still tell."""
    old, new = (make(np.full((2, 2, 2, 1), value, np.uint8), [0, 1], [0, 0]) for value in (3, 9))
    found = compare(tmp_path, old, new).pixels["train"]["brightness"]
    assert (found.base_mean, found.new_mean, found.ks_distance, found.cohens_d) == (3.0, 9.0, 1.0, None)


def test_near_duplicates_that_are_new_are_named(tmp_path: Path, base: Dataset) -> None:
    """Those that the base has already are not."""
    images = noise(12)
    images[6] = images[0] ^ 1  # A row of validation beside one of train, in the base already,
    old = make(images, LABELS, PLACES)
    more = np.concatenate([images, images[1:2] ^ 1])
    new = make(more, [*LABELS, 1], [*PLACES, 2])  # and a new one of test beside another of train.
    found = compare(tmp_path, old, new, max_near_duplicates=0)
    near, ids = found.near_duplicates, content_ids(more).tolist()
    assert (near.measure, near.distance, near.base, near.new, near.added.count) == ("pixels", 2.0, 1, 2, 1)
    (pair,) = near.added.pairs
    assert (pair.splits, pair.rows, pair.distance) == (("train", "test"), (ids[1], ids[12]), 1.0)
    assert near.closest is not None
    assert near.closest.distance == 1.0
    (violation,) = found.violations
    assert (violation.rule, violation.count, violation.rows) == ("new-near-duplicates", 1, (ids[12],))


def test_exact_copies_across_splits_are_the_nearest(tmp_path: Path, base: Dataset) -> None:
    """Rows of the test split that were added to train are new near-duplicates; those of the base are not."""
    images = np.concatenate([noise(12), noise(12)[9:]])
    new = make(images, [*LABELS, *LABELS[9:]], [*PLACES, 0, 0, 0], sizes=["big"] * 15)
    found = compare(tmp_path, base, new, max_near_duplicates=0)
    near, ids = found.near_duplicates, set(content_ids(images[9:]).tolist())
    assert (near.base, near.new, near.added.count) == (0, 3, 3)
    assert {(it.splits, it.distance) for it in near.added.pairs} == {(("train", "test"), 0.0)}
    (violation,) = found.violations
    assert (violation.rule, violation.count, set(violation.rows)) == ("new-near-duplicates", 3, ids)
    assert compare(tmp_path, new, new, max_near_duplicates=0).passed


@pytest.mark.parametrize(("base_rows", "new_rows"), [((6, 3, 3), (6, 3, 0)), ((6, 3, 0), (6, 3, 3))])
def test_a_split_with_rows_on_one_side_only_has_drifted(
    tmp_path: Path, base_rows: tuple[int, ...], new_rows: tuple[int, ...]
) -> None:
    """Beyond any limit on drift, though there is nothing to test; where no limit is set, that is no violation."""
    old, new = (
        make(
            noise(sum(rows)),
            [0, 1] * (sum(rows) // 2) + [0] * (sum(rows) % 2),
            sorted([0] * rows[0] + [1] * rows[1] + [2] * rows[2]),
        )
        for rows in (base_rows, new_rows)
    )
    found = compare(tmp_path, old, new, max_label_drift=0.1, max_pixel_drift=0.2)
    assert [(it.rule, it.where) for it in found.violations] == [("label-drift", "test"), ("pixel-drift", "test")]
    assert f"{base_rows[2]} rows before and {new_rows[2]} now" in found.violations[0].what
    assert compare(tmp_path, old, new, max_relabelled=0).passed
    assert compare(tmp_path, new, new, max_label_drift=0.1).passed


def test_a_name_that_a_terminal_does_not_know_is_escaped(tmp_path: Path) -> None:
    """And a standard output that is closed stops nothing."""
    write(
        tmp_path / "base",
        make(noise(4), [0, 1] * 2, [0] * 4, classes=("cat", "wolf\N{SNOWMAN}")),
    )
    command = [sys.executable, "-m", "headworks_data", "diff", "base", "base"]
    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path, env=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert "wolf\\u2603" in done.stdout
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    done = subprocess.run(closed, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_dataset_in_one_split_has_no_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Empty splits are compared without an error."""
    alone = make(noise(3), [0, 1, 0], [0, 0, 0])
    assert compare(tmp_path, alone, alone).near_duplicates.closest is None
    assert main(["diff", str(tmp_path / "base"), str(tmp_path / "new")]) == 0
    assert "the closest pair" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["added", "removed", "relabelled", "moved", "resliced"])
def test_a_limit_on_rows_is_broken_beyond_it(tmp_path: Path, base: Dataset, name: str) -> None:
    """As many rows as the limit says may differ, and not one more."""
    images = np.concatenate([noise(12)[2:], noise(2, seed=1)])
    sizes = ["small"] * 2 + ["big"] * 10
    labels = [1 - it if number in {2, 3} else it for number, it in enumerate([*LABELS[2:], 0, 1])]
    places = [2 if number in {2, 3} else it for number, it in enumerate([*PLACES[2:], 2, 1])]
    new = make(images, labels, places, sizes=sizes)
    assert compare(tmp_path, base, new, **{f"max_{name}": 2}).passed
    (violation,) = compare(tmp_path, base, new, **{f"max_{name}": 1}).violations
    assert (violation.rule, violation.where, violation.count) == (f"rows-{name}", "all", 2)
    assert f"rows were {name} (" in violation.what
    assert len(violation.rows) == 2


def test_few_rows_may_drift_by_chance(tmp_path: Path) -> None:
    """An effect beyond its limit is no violation where so few rows would often show it."""
    old, new = (make(noise(6, seed=seed), [0, 1] * 3, [0] * 6) for seed in (1, 2))
    found = compare(tmp_path, old, new, max_pixel_drift=0.1)
    assert max(it.ks_distance for it in found.pixels["train"].values()) > 0.1
    assert found.passed


def schema() -> dict[str, object]:
    """Return the published schema."""
    found: dict[str, object] = json.loads((resources.files("headworks_data") / "diff.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return found


CONTRACT = """
classes = [ "cat", "dog" ]
image_shape = [ 4, 3, 1 ]
[diff]
max_added = 0
max_label_drift = 0.1
same_schema = true
"""


def test_json_is_in_the_published_form(tmp_path: Path, base: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    """With everything that may differ, and with limits; the exit status is that of the gate."""
    images = np.concatenate([noise(12), noise(12)[:1] ^ 1, noise(7, seed=3)])
    write(tmp_path / "base", base)
    write(tmp_path / "new", make(images, [1] * 20, [*PLACES, 2, *[1] * 7], classes=("cat", "dog", "owl")))
    (tmp_path / "contract.toml").write_text(CONTRACT)
    command = ["diff", str(tmp_path / "base"), str(tmp_path / "new"), "--format", "json"]
    assert main(command) == 0
    informed = json.loads(capsys.readouterr().out)
    assert main([*command, "--contract", str(tmp_path / "contract.toml")]) == 1
    judged = json.loads(capsys.readouterr().out)
    for found in (informed, judged):
        jsonschema.validate(found, schema())
    assert (informed["passed"], informed["limits"], informed["violations"]) == (True, {}, [])
    assert judged["limits"] == {"max_added": 0, "max_label_drift": 0.1, "significance": 0.01, "same_schema": True}
    assert [it["rule"] for it in judged["violations"]] == ["rows-added", *["schema-change"] * 3]
    assert judged["rows"] == informed["rows"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(judged | {"more": 1}, schema())


def test_a_broken_limit_is_shown_below_what_differs(
    tmp_path: Path, base: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    """People get the same facts as text: histograms side by side, then violations as `check` shows them."""
    write(tmp_path / "base", base)
    more = np.concatenate([noise(12), noise(6, seed=3), noise(1) ^ 1])
    write(tmp_path / "new", make(more, [*LABELS, *[1] * 7], [*PLACES, *[0] * 6, 1], classes=("cat", "dog")))
    contract = tmp_path / "contract.toml"
    contract.write_text(CONTRACT)
    assert main(["diff", str(tmp_path / "base"), str(tmp_path / "new"), "--contract", str(contract)]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert "schema: column size: string -> none" in shown
    assert "7 rows added (train: 6, validation: 1)" in shown
    assert ["dog", "3", "9", "1", "2", "2", "2"] in [line.split() for line in shown]
    assert "near-duplicates across splits, by pixels, at most 8 apart: 0 -> 1, 1 new" in shown
    assert any(line.startswith("rows-added: all: 7 x rows were added (train: 6, validation: 1)") for line in shown)
    assert shown[-3] == f"{tmp_path / 'new'} breaks the limits of {contract} in 3 ways"


def test_a_change_that_is_meant_is_accepted_by_both_digests_and_the_next_one_is_not(
    tmp_path: Path, base: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failure ends with the line to add; the file that is saved has what was found, and never an earlier result."""
    contract, saved = tmp_path / "contract.toml", tmp_path / "out" / "diff.json"
    contract.write_text(CONTRACT)
    write(tmp_path / "base", base)
    write(tmp_path / "new", make(noise(13), [*LABELS, 0], [*PLACES, 0], sizes=["big"] * 13))
    folders = [str(tmp_path / name) for name in ("base", "new")]
    command = ["diff", *folders, "--contract", str(contract), "--save", str(saved)]

    def compared() -> tuple[int, list[str], dict[str, Any]]:
        code = main(command)
        found = json.loads(saved.read_text())
        jsonschema.validate(found, schema())
        return code, capsys.readouterr().out.splitlines(), found

    code, shown, found = compared()
    assert (code, found["passed"], found["accepted"]) == (1, False, False)
    assert shown[-1] == f'accepts = "{found["base"]["digest"]}..{found["new"]["digest"]}"'
    assert shown[1].startswith(f"new   {found['new']['digest']}: 7 train, 3 validation, 3 test rows")
    contract.write_text(f"{CONTRACT}{shown[-1]}\n")
    accepted, shown, found = compared()
    assert (accepted, found["passed"], found["accepted"], len(found["violations"])) == (0, True, True, 1)
    assert shown[-1].startswith("its table `diff` accepts this change, and no other, from ")
    write(tmp_path / "new", make(noise(14), [*LABELS, 0, 0], [*PLACES, 0, 0], sizes=["big"] * 14))
    assert compared()[0] == 1
    contract.write_text(f'{CONTRACT}accepts = "{found["new"]["digest"]}"\n')
    capsys.readouterr()
    assert main(command) == 2
    line = f'accepts = "{found["base"]["digest"]}..{diff(tmp_path / "base", tmp_path / "new").new.digest}"'
    assert f"accept any change to it. Accept this one by {line}" in capsys.readouterr().err
    assert main([*command[:2], command[1], *command[3:]]) == 2
    assert "Remove it: nothing changed." in capsys.readouterr().err
    contract.write_text(CONTRACT)
    (tmp_path / "new" / "dataset.json").unlink()
    assert main(command) == 2
    assert not saved.exists()


def test_the_digits_keep_the_limits_of_their_contract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A comparison with the dataset before is a gate for them."""
    for name in ("base", "new"):
        assert main(["build", str(tmp_path / name), "--config", str(PACKAGE / "dataset.toml")]) == 0
    contract = PACKAGE / "contract.toml"
    assert main(["diff", str(tmp_path / "base"), str(tmp_path / "new"), "--contract", str(contract)]) == 0
    shown = capsys.readouterr().out
    assert "the closest pair is 10.6 apart, in train and validation" in shown
    assert shown.endswith(f"{tmp_path / 'new'} keeps the limits of {contract}\n")
    assert read_settings(contract, Contract).diff.stated()["max_moved"] == 0


def test_a_dataset_that_is_not_there_is_bad_input(
    tmp_path: Path, base: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    """On either side, whichever it is named."""
    write(tmp_path / "base", base)
    for folders in (["base", "none"], ["none", "base"]):
        assert main(["diff", *(str(tmp_path / name) for name in folders)]) == 2
        assert f"there is no dataset in {tmp_path / 'none'}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("accepts", "base", "new", "is_accepted"),
    [
        ("", A, B, False),
        (f"{A}..{B}", A, B, True),
        (f"{A}..{B}", A, A, False),
        (f"{A}..{B}", C, B, False),
        (f"{A}..{B}..{C}", A, C, True),
        (f"{A}..{B}..{C}", B, C, True),
        (f"{A}..{B}..{C}", A, B, False),
        (f"{A}..{B}..{C}", C, B, False),
    ],
)
def test_a_change_is_accepted_once_and_no_return_to_the_same_dataset(
    accepts: str, base: str, new: str, *, is_accepted: bool
) -> None:
    """Only the last dataset of a row of changes is accepted, also beside the first one, as a release may be."""
    assert DiffLimits(accepts=accepts).is_accepted(base, new) == is_accepted


def test_a_change_after_one_that_is_accepted_is_added_to_it() -> None:
    """So a comparison with the last release, which had neither, passes as well; another base starts anew."""
    limits = DiffLimits(accepts=f"{A}..{B}")
    assert limits.accepting(B, C) == f'accepts = "{A}..{B}..{C}"'
    assert limits.accepting(A, C) == f'accepts = "{A}..{C}"'


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_moved": -1}, "'max_moved' must be at least 0, not -1"),
        ({"max_pixel_drift": 1.0}, "'max_pixel_drift' must be at least 0 and below 1, not 1.0"),
        ({"max_label_drift": float("nan")}, "'max_label_drift' must be a finite number, not nan"),
        ({"significance": 0.0}, "'significance' must be above 0 and at most 1, not 0.0"),
        (
            {"accepts": "all"},
            "'accepts' must be the digests of the dataset before and of the new one, as .*, not 'all'",
        ),
    ],
)
def test_limits_that_nothing_could_break_are_refused(limits: dict[str, Any], message: str) -> None:
    """The message names the key."""
    with pytest.raises(errors.SettingsError, match=message):
        DiffLimits(**limits)
