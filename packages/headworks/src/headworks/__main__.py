"""Run the command as `python -m headworks`."""

import sys

from headworks._cli import program

sys.exit(program())
