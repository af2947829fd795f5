"""Predictions, and the figures, intervals and conditions that are computed from them."""
