"""Answers that are still right, given before anything is imported that making them anew would need.

The modules of this room import as little as they can: `typing`, `subprocess` and `hashlib` alone take as long as git
takes for a small repository. All other rooms are ordinary Python.
"""
