"""Runs the commands: ``python -m headworks_model train``, ``evaluate`` and ``export``."""

from __future__ import annotations

import sys

if __name__ == "__main__":  # pragma: no branch - this module is run, and nothing imports it
    try:
        from headworks_model._cli import main

        sys.exit(main())
    except KeyboardInterrupt:
        # Imports take a while, and Ctrl-C ends them without a traceback as well.
        sys.exit(130)
