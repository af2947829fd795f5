"""The errors of this package, as one tree.

FeaturesError
└── NoSpreadError (ValueError)  values that are all equal cannot be standardised

Each message says what happened, where, and what to do next. Each error also is the builtin it refines.
"""

from __future__ import annotations

__all__ = ["FeaturesError", "NoSpreadError"]


class FeaturesError(Exception):
    """Base of every error that this package raises on purpose."""


class NoSpreadError(FeaturesError, ValueError):
    """Values that are all equal cannot be standardised."""
