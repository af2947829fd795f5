"""The gate: judges a candidate model against its base, with stated certainty."""
