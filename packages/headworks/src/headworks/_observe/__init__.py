"""Observation: what a session reads, seen while it runs, and the witness that is made of it."""
