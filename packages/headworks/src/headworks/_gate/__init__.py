"""The gate: is a candidate model no worse than its base, on what, and how sure is that?"""
