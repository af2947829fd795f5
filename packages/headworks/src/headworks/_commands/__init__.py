"""The commands of the command line, a module each; what a module's docstring says first is its help."""
