"""Run the command as `python -m headgate`."""

import sys

from headgate._cli import program

sys.exit(program())
