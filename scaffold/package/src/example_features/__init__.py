"""Write here what the package does."""

from example_features import errors
from example_features._standardise import standardise

__all__ = ["errors", "standardise"]
