"""The commands of the command line, a module each, whose docstring is its help."""
