# /// script
# requires-python = ">=3.11"
# dependencies = ["mlflow>=3.17"]
# ///

"""Start MLflow's own server, which `uv run --locked --script` gives an environment of its own.

It holds to an older pyarrow than the engine, so that the two cannot share `uv.lock`; `nox -s update` renews both locks.
"""

import sys

from mlflow.cli import cli  # type: ignore[import-not-found]  # in this script's environment alone

sys.exit(cli())
