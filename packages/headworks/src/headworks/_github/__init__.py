"""A repository's settings on GitHub, held against its workflows."""
