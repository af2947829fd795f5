"""A run: the sessions of a plan that have no verdict, carried out through nox."""
