"""The command `python -m headworks_serving`."""

import sys

from headworks_serving._cli import main

if __name__ == "__main__":  # pragma: no branch - this module is run, and nothing imports it
    sys.exit(main())
