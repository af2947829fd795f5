"""Runs the sessions of a plan that no verdict covers, through nox."""
