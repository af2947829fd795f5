"""What this machine adds to digests: interpreters, programs, nox, environment variables."""
