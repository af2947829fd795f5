"""Facts about this machine that are part of digests: interpreters, programs, nox, environment variables."""
