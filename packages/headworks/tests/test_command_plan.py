"""The commands show a plan, a graph and an explanation."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING

import jsonschema
import pytest

import headworks
from headworks import _cli
from headworks._commands.plan import rendered
from headworks._plan.as_github import as_github
from headworks._plan.plan import Plan, plan
from headworks._store.store import Store
from headworks._store.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Monorepo


@pytest.fixture
def inside(monorepo: Monorepo, monkeypatch: pytest.MonkeyPatch) -> Monorepo:
    """Return a monorepo that is the working folder, in which all sessions but one have passed."""
    monkeypatch.chdir(monorepo.root)
    store = Store.default(monorepo.root)
    outputs = {"data": {"artifacts/data": ""}, "model": {"artifacts/model": ""}}
    for name, paths in outputs.items():
        for path in paths:
            monorepo.scratch.write({f"{path}/x": name})
            paths[path] = store.outputs(monorepo.root).content(path) or ""
    for _ in range(2):
        found = plan(monorepo.root, store=store)
        for it in found.of("run"):
            if it.session.name != "lint":
                verdict = Verdict(
                    session=it.session.name,
                    digest=it.digest or "",
                    passed=True,
                    finished="2026-11-24T01:02:03Z",
                    seconds=90.0,
                    commit="1234567890abcdef" if it.session.name != "data" else "",
                    platform="linux",
                    outputs=outputs.get(it.session.name, {}),
                    components=found.digester.digest(it.session, outputs).components,
                )
                store.record(verdict, monorepo.root)
    return monorepo


def shown(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """Run a command and return what it writes."""
    assert _cli.main(list(arguments)) == code
    output = capsys.readouterr()
    return output.err if code else output.out


def test_a_plan_is_shown_in_groups(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """What runs and why, what waits, what is covered by which verdict, and how long it takes."""
    inside.edit("packages/base/src/base/core.py", "base", "x")
    (inside.root / "conftest.py").unlink()
    inside.scratch.git("checkout", "conftest.py")
    head = inside.scratch.git("rev-parse", "--short=12", "HEAD")
    assert shown(capsys, "plan") == (
        "Run: 6 sessions, about 7 min 30 s one after the other, and 1 of unknown length\n"
        "  tests-3.11(base), tests-3.13(base), lint, data\n"
        "      packages/base/src/base/core.py changed\n"
        "  tests-3.11(app), tests-3.13(app)\n"
        "      packages/base/src/base/core.py changed, reached through base\n"
        "Waiting: 1 session, about 1 min 30 s one after the other\n"
        "  model: waits for data\n"
        "Cached: 2 sessions, which took 3 min 00 s\n"
        "  tests-3.11(solo), tests-3.13(solo)\n"
        "      passed on 2026-11-24 at 1234567890ab (declared)\n"
        f"Compared with {head}, main.\n"
    )


def test_a_single_session_takes_one_line(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """With its reason or its verdict."""
    assert inside.root.is_dir()
    assert (
        shown(capsys, "plan", "data")
        == "Cached: 1 session, which took 1 min 30 s\n  data: passed on 2026-11-24 (declared)\n"
    )
    text = shown(capsys, "plan", "lint")
    assert text.startswith("Run: 1 session\n  lint: has not passed yet as it is, though nothing differs from ")


def test_many_reasons_are_counted(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """The first few are shown, and JSON has all."""
    inside.scratch.write(
        {"conftest.py": "x", "packages/app/src/app/core.py": "x", "packages/base/src/base/core.py": "x"}
    )
    inside.scratch.write({"uv.lock": inside.lock(torch="3", numpy="3")})
    text = shown(capsys, "plan", "tests-3.11(app)")
    assert text.splitlines()[-3:-1] == [
        "      uv.lock: torch 2.9 → 3, reached through app",
        "      and 1 more reasons",
    ]


def test_long_lists_of_names_are_wrapped(
    monorepo: Monorepo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No line is longer than a terminal."""
    monkeypatch.chdir(monorepo.root)
    monkeypatch.setattr("headworks._plan.as_text._WIDTH", 40)
    lines = shown(capsys, "plan", "tests").splitlines()
    assert lines[1:4] == [
        "  tests-3.11(base), tests-3.11(app),",
        "  tests-3.11(solo), tests-3.13(base),",
        "  tests-3.13(app), tests-3.13(solo)",
    ]


def test_no_session_is_said(
    monorepo: Monorepo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty plan is no silent one."""
    monkeypatch.chdir(monorepo.root)
    monkeypatch.setattr("headworks._plan.plan._select", lambda _sessions, _names: [])
    assert shown(capsys, "plan") == "There is no session to plan.\n"


def schema() -> dict[str, object]:
    """Return the published schema."""
    found: dict[str, object] = json.loads((resources.files("headworks") / "plan.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def test_json_is_in_the_published_form(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """With and without anything to run."""
    data = json.loads(shown(capsys, "plan", "--format", "json", "tests"))
    jsonschema.validate(data, schema())
    assert data["base"] is None
    assert data["sessions"][1]["verdict"]["commit"] == "1234567890abcdef"
    assert data["sessions"][1]["parameters"] == {"package": "app"}
    inside.edit("packages/base/src/base/core.py", "base", "x")
    data = json.loads(shown(capsys, "plan", "--format", "json"))
    jsonschema.validate(data, schema())
    found = {it["name"]: it for it in data["sessions"]}
    assert found["lint"]["packages"] is None
    assert found["model"]["state"] == "waiting"
    assert found["model"]["digest"] is None
    assert found["data"]["reasons"] == ["packages/base/src/base/core.py changed"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data | {"more": 1}, schema())


def outputs(text: str) -> dict[str, list[dict[str, object]]]:
    """Return the jobs in each matrix for GitHub Actions, and whether there is any."""
    lines = dict(it.split("=", 1) for it in text.splitlines())
    is_any = lines.pop("any")
    found = {name: json.loads(it)["include"] if it else [] for name, it in lines.items()}
    assert is_any == ("true" if any(found.values()) else "false")
    return found


def matrix(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    """Return the jobs of the only matrix."""
    return outputs(shown(capsys, "plan", "--format", "github", *arguments))["matrix"]


def test_jobs_share_what_runs_by_the_time_it_takes(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """Sessions that read each other's outputs stay together, and the shell gets names that it can take."""
    inside.edit("packages/base/src/base/core.py", "base", "x")
    jobs = matrix(capsys, "--jobs", "3")
    assert [it["seconds"] for it in jobs] == [270, 180, 180]
    assert any("data model" in str(it["sessions"]) for it in jobs)
    names = [name for it in jobs for name in shlex.split(str(it["sessions"]))]
    assert sorted(names) == sorted(it.session.name for it in plan(inside.root).sessions if it.state != "cached")
    assert {it["runner"] for it in jobs} == {"ubuntu-24.04"}


def test_a_job_is_named_by_the_command_that_does_the_same(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """A function stands for its instances where all of them are there."""
    inside.edit("packages/app/src/app/core.py", "app", "x")
    [job] = matrix(capsys, "--jobs", "1", "tests")
    assert job["name"] == "nox -s 'tests-3.11(app)' 'tests-3.13(app)'"
    inside.edit("packages/base/src/base/core.py", "base", "x")
    inside.edit("packages/solo/src/solo/core.py", "solo", "x")
    [job] = matrix(capsys, "--jobs", "1")
    assert sorted(shlex.split(str(job["name"]))) == ["-s", "data", "lint", "model", "nox", "tests"]


@pytest.mark.parametrize(("usual", "longest", "jobs"), [(1.0, 1.0, [9]), (100.0, 400.0, [500, 400, 300])])
def test_no_more_machines_are_asked_for_than_make_it_faster(
    monorepo: Monorepo, usual: float, longest: float, jobs: list[int]
) -> None:
    """Whatever is tiny shares one, and beside a long session there is time for several short ones."""
    found = with_tags(plan(monorepo.root, store=monorepo.store), seconds={"model": longest}, usual=usual)
    assert [it["seconds"] for it in outputs(as_github(found, jobs=256))["matrix"]] == jobs


def with_tags(
    found: Plan, *tags: str, of: str = "", usual: float = 1.0, seconds: dict[str, float] | None = None
) -> Plan:
    """Return a plan in which a session has other tags, and all are expected to take some time."""
    sessions = []
    for it in found.sessions:
        session = it.session
        if session.name == of:
            session = type(session)(**vars(session) | {"tags": tags})
        length = (seconds or {}).get(session.name, usual)
        sessions.append(type(it)(**vars(it) | {"session": session, "seconds": length}))
    return Plan(root=found.root, sessions=tuple(sessions), base=found.base, digester=found.digester)


def test_what_is_tagged_has_a_matrix_or_a_system_of_its_own(inside: Monorepo) -> None:
    """A verdict of this system covers nothing on another one, so that a job there has to look for itself."""
    found = outputs(
        as_github(with_tags(plan(inside.root), "late", "macos", of="model"), jobs=256, apart=("new", "late"))
    )
    assert list(found) == ["matrix", "new", "late"]
    assert [it["name"] for it in found["matrix"]] == ["nox -s lint"]
    assert found["new"] == []
    assert [(it["name"], it["system"], it["runner"]) for it in found["late"]] == [
        ("nox -s model  # macos", "macos", "macos-15")
    ]
    everywhere = with_tags(plan(inside.root), "windows", "macos", of="lint")
    found = outputs(as_github(everywhere, jobs=2))
    assert [it["system"] for it in found["matrix"]] == ["linux", "macos", "windows"]
    covered = [replace(it, covered_on=("macos",)) for it in everywhere.sessions]
    found = outputs(as_github(replace(everywhere, sessions=tuple(covered)), jobs=2))
    assert [it["system"] for it in found["matrix"]] == ["linux", "windows"]


def test_a_row_may_name_a_runner(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """Its session has a job of its own there, and the others stay on machines of GitHub's."""
    inside.edit("pyproject.toml", "lint = {}", 'lint = { runs-on = ["self-hosted", "gpu"] }')
    inside.edit("packages/solo/src/solo/core.py", "solo", "x")
    runners = {str(it["sessions"]): it["runner"] for it in matrix(capsys)}
    assert runners.pop("lint") == ["self-hosted", "gpu"]
    assert set(map(str, runners.values())) == {"ubuntu-24.04"}


def test_a_plan_can_be_written_to_a_file(inside: Monorepo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For GitHub to the end of the file that it names, in every other form as the whole file."""
    file = tmp_path / "new/file"
    for _ in range(2):
        assert shown(capsys, "plan", "tests", "--format", "github", "--output", str(file)) == ""
    assert file.read_text() == "any=false\nmatrix=\n" * 2
    assert shown(capsys, "plan", "--format", "json", "--output", str(file)) == ""
    jsonschema.validate(json.loads(file.read_text()), schema())
    assert [it.name for it in file.parent.iterdir()] == ["file"]
    for form in ("text", "github"):
        assert _cli.main(["plan", "--format", form, "--output", str(tmp_path)]) == 2
    assert f"{tmp_path} cannot be written" in capsys.readouterr().err


def test_one_call_writes_several_forms(inside: Monorepo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where an answer is remembered: a matrix to the end of its file, and the text for people."""
    usual = shown(capsys, "plan", "tests")
    plain, matrices = tmp_path / "plan.json", tmp_path / "matrices"
    for _ in range(2):
        assert shown(capsys, "plan", "tests", "--also", f"json={plain}", "--also", f"github={matrices}") == usual
    jsonschema.validate(json.loads(plain.read_text()), schema())
    assert matrices.read_text() == "any=false\nmatrix=\n" * 2
    for wrong in ("json", "json=", "yaml=x"):
        said = shown(capsys, "plan", "--also", wrong, code=2)
        assert said.startswith(f"headworks: --also is {wrong!r}; it has to be one of text, json, github, mermaid, dot,")


@pytest.mark.parametrize("tags", ["", "a,", "any", "a=b", "matrix"])
def test_a_tag_has_to_be_the_name_of_an_output(tags: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And none that means something else."""
    said = shown(capsys, "plan", "--apart", tags, code=2)
    assert said.startswith(f"headworks: --apart is {tags!r}; it has to be tags with commas between them, as in macos,")


def test_tags_apart_have_an_output_each(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where no session has them."""
    assert inside.root.is_dir()
    said = shown(capsys, "plan", "--format", "github", "--apart", "late,new")
    assert [line.partition("=")[0] for line in said.splitlines()] == ["any", "matrix", "late", "new"]


def test_a_plan_without_anything_to_run_has_no_jobs(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """So that the job that needs it can be left out."""
    assert inside.root.is_dir()
    assert matrix(capsys, "tests") == []


def test_jobs_of_unknown_length_count_alike(monorepo: Monorepo) -> None:
    """Nothing has ever run."""
    text = rendered(plan(monorepo.root, store=monorepo.store, sessions=["tests"]), "github", jobs=2)
    assert [it["seconds"] for it in outputs(text)["matrix"]] == [180, 180]


def test_a_session_that_never_passed_takes_as_long_as_its_likes(monorepo: Monorepo) -> None:
    """Those of the same function, on another Python or for another package, or else as all others that are known."""
    found = with_tags(plan(monorepo.root, store=monorepo.store), usual=300.0, seconds={"lint": 20.0})
    unknown = {"tests-3.11(base)", "data"}
    sessions = (type(it)(**vars(it) | {"seconds": None}) if it.session.name in unknown else it for it in found.sessions)
    found = Plan(root=found.root, sessions=tuple(sessions), base=found.base, digester=found.digester)
    jobs = outputs(as_github(found, jobs=256))["matrix"]
    # Five tests and the model of 300 s, one test alike, lint of 20 s, and data as the mean of these seven.
    assert sum(int(str(it["seconds"])) for it in jobs) == round(7 * 300 + 20 + (6 * 300 + 20) / 7)


@pytest.mark.parametrize("jobs", ["0", "257", "x"])
def test_a_number_of_jobs_has_to_be_possible(jobs: str, capsys: pytest.CaptureFixture[str]) -> None:
    """GitHub has an upper limit."""
    said = shown(capsys, "plan", "--jobs", jobs, code=2)
    assert said == f"headworks: --jobs is {jobs!r}; it has to be a number from 1 to 256.\n"


def test_a_graph_has_sessions_needs_and_states(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """For Mermaid and for Graphviz."""
    inside.edit("packages/base/tests/test_core.py", "base", "x")
    assert shown(capsys, "graph", "model") == (
        "flowchart LR\n"
        '  s0["data"]:::run\n'
        '  s1["model"]:::waiting\n'
        "  s0 --> s1\n"
        "  classDef run fill:#f9c74f,stroke:#333,color:#000\n"
        "  classDef waiting fill:#f9e7b9,stroke:#333,color:#000\n"
        "  classDef cached fill:#b7e4c7,stroke:#333,color:#000\n"
    )
    assert shown(capsys, "plan", "--format", "mermaid", "model") == shown(capsys, "graph", "model")
    assert shown(capsys, "graph", "--format", "dot", "model") == (
        "digraph plan {\n"
        "  rankdir=LR;\n"
        "  node [shape=box, style=filled];\n"
        '  "data" [fillcolor="#f9c74f", tooltip="run"];\n'
        '  "model" [fillcolor="#f9e7b9", tooltip="waiting"];\n'
        '  "data" -> "model";\n'
        "}\n"
    )


def test_an_explanation_has_every_part_of_the_digest(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """And what is not as it was, in the base and when it passed last."""
    inside.edit("packages/base/src/base/core.py", "base", "x")
    text = shown(capsys, "explain", "tests-3.11(app)")
    assert text.startswith("tests-3.11(app): run\n  digest ")
    assert "    packages/base/src/base/core.py changed, reached through base\n" in text
    assert "  since it last passed, on 2026-11-24 at 1234567890ab\n    package base: src changed\n" in text
    assert "    python" in text.partition("  its digest is made of\n")[2]
    assert "version of python3.11" in text


def test_an_explanation_of_what_is_cached_or_never_passed(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was compared; nothing changed; or there is nothing to compare with."""
    text = shown(capsys, "explain", "data")
    assert "why" not in text
    assert "since it last passed, on 2026-11-24\n    nothing changed\n" in text
    assert "it has not passed yet\n" in shown(capsys, "explain", "lint")
    inside.edit("packages/base/tests/test_core.py", "base", "x")
    text = shown(capsys, "explain", "model")
    assert "digest not known before the sessions that it needs have run\n  why, compared with" in text
    assert "needs data: artifacts/data" in text
    inside.edit("pyproject.toml", "lint = {}", "lint = { cache = false }")
    assert "  why\n    always runs" in shown(capsys, "explain", "lint")


def test_an_explanation_as_json(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """For other programs."""
    data = json.loads(shown(capsys, "explain", "--format", "json", "tests-3.13(solo)"))
    assert (data["state"], data["since"], data["base"], data["reasons"]) == ("cached", [], None, [])
    assert data["parts"]["python"] == "version of python3.13"
    assert data["last"]["digest"] == data["digest"]
    data = json.loads(shown(capsys, "explain", "--format", "json", "lint"))
    assert (data["last"], data["since"]) == (None, None)
    assert inside.root.is_dir()


def test_an_explanation_is_of_one_session(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """A function's name is enough where it has one instance."""
    error = shown(capsys, "explain", "tests-3.13", code=2)
    names = "tests-3.13(base), tests-3.13(app), tests-3.13(solo)"
    assert error == f"headworks: 'tests-3.13' means 3 sessions. Name one of them: {names}.\n"
    found = headworks.explain(inside.root, "lint", store=Store.default(inside.root))
    assert found.planned.session.name == "lint"
    inside.edit("noxfile.py", "def lint(", "def lint(session): pass\n\n\n@nox.session(python=['3.9'])\ndef other(")
    assert shown(capsys, "explain", "other", code=0).startswith("other: run")


def test_the_package_gives_the_same_as_the_command(inside: Monorepo) -> None:
    """Under names that do not change, imported when they are asked for."""
    assert headworks.__all__ == sorted(headworks.__all__)
    assert set(headworks.__all__) <= set(dir(headworks))
    assert all(getattr(headworks, name).__name__ == name for name in headworks.__all__)
    assert {it.state for it in headworks.plan(inside.root).sessions} == {"cached", "run"}
    with pytest.raises(AttributeError, match="module 'headworks' has no attribute 'plam'"):
        headworks.plam  # noqa: B018  # asking is the point
