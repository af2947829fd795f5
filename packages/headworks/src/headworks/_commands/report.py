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
    parser.add_argument("--output", default=_FOLDER, metavar="DIR", help="where report.md and report.html are written")
    parser.add_argument("--base", metavar="REF", help="compare with where HEAD parted from this revision")
    parser.add_argument("--gate", default="", metavar="FILE", help="what `headworks gate --format json` wrote")
    parser.add_argument("--data-diff", default="", metavar="FILE", help="the JSON of a comparison of two datasets")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and return the exit code, which is 0 whatever the outcome."""
    try:
        from headworks._report.as_html import as_html
        from headworks._report.collect import collect
    except ModuleNotFoundError as error:
        message = f"The report needs {error.name}, which is not installed: pip install 'headworks[report]'"
        raise UsageError(message) from None
    page = collect(os.curdir, arguments.base, data_diff=arguments.data_diff, gate=arguments.gate)
    contents = {"report.md": as_markdown(page), "report.html": as_html(page)}
    for name, content in contents.items():
        write_output(os.path.join(arguments.output, name), content)
    say(text_of([page.verdict, os.path.join(arguments.output, "report.html")]))
    return 0
