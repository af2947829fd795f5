"""The two renderers of the report say the same, and no text breaks out of either."""

from __future__ import annotations

import functools
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from headworks._report.as_html import as_html
from headworks._report.as_markdown import LIMIT, as_markdown
from headworks._report.charts import Intervals, Lines, Reliability, Series, draw
from headworks._report.collect import verdict
from headworks._report.escape import code, fenced, plain
from headworks._report.page import Code, Gallery, Graph, Matrix, Node, Page, Picture, Section, Table

if TYPE_CHECKING:
    from headworks._report.page import Kind

HOSTILE = (
    "<script>alert(1)</script> | ``` `x` $y$ @all #1\n# [a](javascript:b) \x1b[31m\u202e &lt; \"q\" 'q' </svg>\u732b"
)
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


def page(text: str, *, rows: int = 2) -> Page:
    """Return a page with every kind of block, all of whose texts are the same."""
    columns: dict[str, Kind] = {text: "text", f"{text} ": "code", f" {text}": "state"}  # spaces around are not shown
    table = [(text, text, "fails, counts as passes"), (text, "", "")]
    lines = "\n".join([text] * rows)
    blocks = (
        text,
        Code(caption=text, text=lines),
        Code(caption=text, text=lines, folded=True),
        Table(caption=text, columns=columns, rows=tuple(table * rows)),
        Table(caption=text, columns={text: "number"}, rows=((text,),), folded=True),
        Graph(caption=text, nodes=(), edges=()),
        Graph(
            caption=text,
            nodes=(Node(name=text, state="passed"), Node(name=text, state="not run"), Node(name="x", state="failed")),
            edges=((0, 1), (0, 2)),
        ),
        Matrix(caption=text, classes=(text, "b"), counts=((3, 0), (1, 0))),
        Matrix(caption=text, classes=(text, "b"), counts=((-1, 0), (2, 0)), signed=True),
        Matrix(caption=text, classes=tuple("abcdefghijklm"), counts=((0,) * 13,) * 13),
        Lines(
            caption=text,
            across=text,
            up=text,
            series=(
                Series(name=text, points=((1, 2.0), (2, 0.5))),
                Series(name="base", points=((1, 2.0),), is_base=True),
                Series(name="nothing", points=()),
            ),
            is_log=True,
        ),
        Lines(caption=text, across="x", up="y", series=(Series(name=text, points=((1, 0.0), (2, 0.5))),)),
        Intervals(
            caption=text,
            across=text,
            names=(text, "b" * 99),
            series=(Series(name="candidate", points=((0.5, 0.4, 0.6),) * 2),),
        ),
        Intervals(
            caption=text,
            across=text,
            names=(text,),
            series=(
                Series(name="candidate", points=((0.5, 0.4, 0.6),)),
                Series(name="base", points=((0.5, 0.4, 0.6),), is_base=True),
            ),
        ),
        Reliability(
            caption=text,
            series=(
                Series(name=text, points=((0.5, 0.75, 4),)),
                Series(name="base", points=((0.9, 1.0, 4),), is_base=True),
            ),
        ),
        Gallery(caption=text, pictures=(Picture(source=PIXEL, alt=text, lines=(text, text)),)),
    )
    sections = (
        Section(title=text, blocks=blocks, outcome="failed", reasons=(text,)),
        Section(title="More", blocks=("said",)),
    )
    return Page(project=text, about={"commit": text}, outcome="failed", verdict=text, sections=sections)


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        """Read a page."""
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.text.append(data)


@functools.cache
def html(text: str) -> str:
    """Return a page with a text as HTML."""
    return as_html(page(text))


def shape(text: str) -> list[tuple[str, list[str]]]:
    """Return the elements of a page with the names of their attributes, without what charts are drawn with."""
    drawn = {"g", "path", "text", "use", "defs", "clippath", "rect"}
    return [(tag, sorted(it)) for tag, it in Elements(text).found if tag not in drawn]


def test_html_holds_hostile_text_as_text() -> None:
    """The elements and their attributes are the same as those of a page with a harmless text."""
    assert shape(html(HOSTILE)) == shape(html("harmless"))
    assert "script" not in {tag for tag, _ in Elements(html(HOSTILE)).found}
    assert any("<script>alert(1)</script>" in it for it in Elements(html(HOSTILE)).text)


def test_html_holds_no_control_character() -> None:
    """A name turns no text around, and breaks no line but those of a log."""
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", html(HOSTILE))
    shown = as_html(page("x\ny", rows=1))
    assert '<pre tabindex="0">x\ny</pre>' in shown
    assert '<h1><span aria-hidden="true">\N{BALLOT X}</span> x y</h1>' in shown


def test_a_name_like_a_colour_is_drawn_as_it_is() -> None:
    """Only a chart's own colours, fonts and ids become the page's."""
    name = '#030303 font: 10px; id="a" url(#b)'
    chart = Lines(caption="c", across=name, up="y", series=(Series(name="a", points=((1, 2.0),)),))
    drawn = draw(chart)
    assert name in Elements(drawn).text
    assert "var(--mine)" in drawn
    assert "#030303" not in drawn.replace(name.replace('"', "&quot;"), "").replace(name, "")


def test_a_chart_of_numbers_too_far_apart_says_so() -> None:
    """In its place on the page, which is written all the same."""
    series = (Series(name="loss", points=((1, 1e308), (2, -1e308))),)
    chart = Lines(caption="c", across="x", up="y", series=series)
    sections = (Section(title="Training", blocks=(chart,)),)
    shown = as_html(Page(project="p", about={}, outcome="passed", verdict="v", sections=sections))
    assert "<p>This cannot be drawn (overflow encountered" in shown


def test_html_needs_nothing_from_anywhere() -> None:
    """Every address in it is a part of the page itself, and a policy forbids the rest."""
    elements = Elements(html("harmless")).found
    addresses = [it[name] or "" for _, it in elements for name in ("href", "src", "xlink:href", "srcset") if name in it]
    assert addresses
    assert all(it.startswith(("#", "data:")) for it in addresses)
    policy = next(it["content"] for _, it in elements if it.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert not re.findall(r"url\((?!#)|@import", html("harmless"))


def test_html_says_every_figure_in_words() -> None:
    """Images, charts and the graph have a text of their own, and no two elements one id."""
    elements = Elements(html("harmless")).found
    pictures = [it for tag, it in elements if tag == "img" or it.get("role") == "img"]
    assert len(pictures) == 7
    assert all(it.get("alt") or it.get("aria-label") for it in pictures)
    ids = [it["id"] for _, it in elements if "id" in it and not str(it["id"]).startswith(("lines", "intervals"))]
    assert len(ids) == len(set(ids))
    assert (
        "harmless: by harmless, harmless from 2 to 0.5; base from 2 to 2. The numbers are in the table that follows."
        in [it.get("aria-label") for it in pictures]
    )
    assert any("mean gap between confidence and accuracy: harmless 0.250, base 0.100" in str(it) for it in pictures)


def rendered(text: str) -> str:
    """Return a page as the HTML that GitHub would make of its Markdown."""
    return str(MarkdownIt("commonmark").enable("table").render(as_markdown(page(text))))


def test_markdown_holds_hostile_text_as_text() -> None:
    """Rendered, it has the elements that a harmless text has, and addresses and refers to nobody."""
    assert shape(rendered(HOSTILE)) == shape(rendered("harmless"))
    outside = re.sub(r"<(code|pre)\b.*?</\1>", "", rendered(HOSTILE), flags=re.DOTALL)
    assert "alert(1)" in outside
    assert not re.search(r"@all|#1|<script", outside)


def test_markdown_has_a_limit_and_states_what_it_cuts() -> None:
    """Tables and logs first; then whole sections; and a line that is too long by itself."""
    assert "more rows" not in as_markdown(page("x" * 9, rows=300))
    long = as_markdown(page("x" * 200, rows=400))
    assert len(long) <= LIMIT
    assert "750 more rows are in report.html." in long
    assert "(the last 50 of 400 lines)" in long
    short = as_markdown(page("x" * 200, rows=400), 1_000)
    assert len(short) <= 1_000
    assert short.startswith("# \N{BALLOT X} xxx")
    assert short.endswith("does not fit here; report.html has it.\n\n## More\n\nsaid\n")
    none = as_markdown(page("x" * 5_000), 1_000)
    assert len(none) <= 1_000
    assert none.endswith("The rest does not fit here; report.html has all of it.\n")


def test_one_long_section_hides_no_other() -> None:
    """Only what does not fit is left out, by name; a log goes before what is to be run."""
    loud = tuple(
        it
        for number in range(60)
        for it in (
            Code(caption=f"s{number} failed: run it again", text=f"nox -s s{number}"),
            Code(caption=f"The last lines of s{number}", text="\n".join(["x" * 500] * 40), folded=True),
        )
    )
    sections = (
        Section(title="How to reproduce", blocks=loud),
        Section(title="Huge", blocks=("y" * LIMIT,)),
        Section(title="Gate", blocks=("judged",)),
    )
    text = as_markdown(Page(project="p", about={}, outcome="failed", verdict="Failed: s0", sections=sections))
    assert len(text) <= LIMIT
    assert text.startswith("# \N{BALLOT X} Failed: s0\n")
    assert [f"nox -s s{number}" in text for number in range(60)] == [True] * 60
    assert "The last lines of s59 are in report.html." in text
    assert "## Huge\n\nThis section does not fit here; report.html has it.\n" in text
    assert "## Gate\n\njudged\n" in text


@given(st.text())
def test_no_text_leaves_its_line(text: str) -> None:
    """Whatever it is made of, also as code and in a fence."""
    assert len(plain(text).splitlines()) <= 1
    assert len(code(text, in_table=True).splitlines()) <= 1
    lines = fenced(text.split("\n"))
    assert lines[-1] not in lines[1:-1]
    assert all("\n" not in it and "\r" not in it for it in lines)
    assert "<" not in plain(text)
    graph = Graph(caption="", nodes=(Node(name=text, state="passed"),), edges=())
    drawn = as_markdown(Page(project="", about={}, outcome="passed", verdict="", sections=[Section("", [graph])]))
    assert [it.count('"') for it in drawn.split("\n") if it.startswith("  s")] == [2]


def test_a_text_that_begins_a_list_is_none() -> None:
    """Nor a heading underlined by its next line."""
    assert [plain(it) for it in ("- a", "1. a", "+", "=", "+1.5")] == [
        r"\- a",
        "1\N{WORD JOINER}. a",
        r"\+",
        r"\=",
        "+1.5",
    ]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], ("unproven", "Not everything is proven: nothing was judged")),
        (["passed", None], ("passed", "Passed: a0; b0")),
        (["passed", "unproven"], ("unproven", "Not everything is proven: a1; b1")),
        (["unproven", "cannot tell"], ("cannot tell", "Cannot tell: a1; b1")),
        (["cannot tell", "failed", "passed"], ("failed", "Failed: a1; b1")),
        (["failed"] * 3, ("failed", "Failed: a0; b0; a1; b1; and 2 more reasons")),
    ],
)
def test_the_verdict_is_the_worst_that_was_found(outcomes: list[str | None], expected: tuple[str, str]) -> None:
    """And names what it is due to; a page on which nothing was judged never passes."""
    sections = [
        Section(title="", blocks=(), outcome=it, reasons=(f"a{number}", f"b{number}"))  # type: ignore[arg-type]
        for number, it in enumerate(outcomes)
    ]
    assert verdict(sections) == expected
