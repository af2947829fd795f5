"""Promotion of models: aliases, and the evidence that an alias asks for."""
