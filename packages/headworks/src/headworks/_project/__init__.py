"""The files that describe a repository: pyproject.toml, the lock, packages, and the sessions made of them."""
