"""The command `python -m headworks_serving.check`."""

import sys

if __name__ == "__main__":  # pragma: no branch - this module is run, and nothing imports it
    try:
        from headworks_serving.check._cli import main
    except ModuleNotFoundError as error:
        sys.stderr.write(f"serve-check: error: {error}; install headworks-serving[check]\n")
        sys.exit(2)
    except KeyboardInterrupt:
        # Imports take a while, and Ctrl-C ends them without a traceback as well.
        sys.exit(130)
    sys.exit(main())
