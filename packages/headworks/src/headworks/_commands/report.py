"""Write one page that a reviewer reads instead of logs, as Markdown and as one HTML file.

It judges nothing, runs no session, and names the facts that are missing. Its first line is the worst outcome.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headworks._lines import say, text_of
from headworks._output_file import write_output
from headworks._report.as_markdown import as_markdown
from headworks.errors import UsageError

if TYPE_CHECKING:
    import argparse

_FOLDER = os.path.join("artifacts", "report")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--output", default=_FOLDER, metavar="DIR", help="where the files are written")
    parser.add_argument("--base", metavar="REF", help="compare with where HEAD parted from this revision")
    parser.add_argument("--plan", default="", metavar="FILE", help="the plan before anything ran: why sessions ran")
    parser.add_argument("--from", dest="summary", metavar="FILE", help="write the comment of a summary.json")
    parser.add_argument("--gate", default="", metavar="FILE", help="what `headworks gate --format json` wrote")
    parser.add_argument("--data-diff", default="", metavar="FILE", help="the JSON of a comparison of two datasets")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and return the exit code, which is 0 whatever the outcome."""
    if arguments.summary is not None:
        return _comment(arguments.summary, arguments.output)
    try:
        from headworks._report.as_html import as_html
        from headworks._report.collect import collect
        from headworks._report.summary import as_json
    except ModuleNotFoundError as error:
        message = f"The report needs {error.name}, which is not installed: pip install 'headworks[report]'"
        raise UsageError(message) from None
    page, summary = collect(
        os.curdir, arguments.base, data_diff=arguments.data_diff, gate=arguments.gate, planned=arguments.plan
    )
    contents = {"report.md": as_markdown(page), "report.html": as_html(page), "summary.json": as_json(summary)}
    for name, content in contents.items():
        write_output(os.path.join(arguments.output, name), content)
    say(text_of([page.verdict, os.path.join(arguments.output, "report.html")]))
    return 0


def _comment(summary: str, folder: str) -> int:
    """Write the comment of a summary."""
    try:
        from headworks._report.as_comment import comment_page
        from headworks._report.summary import read_summary
    except ModuleNotFoundError as error:
        message = f"A comment needs {error.name}, which is not installed: pip install 'headworks[comment]'"
        raise UsageError(message) from None
    page = comment_page(read_summary(summary))
    place = os.path.join(folder, "comment.md")
    write_output(place, as_markdown(page))
    say(text_of([page.verdict, place]))
    return 0
