"""Static analysis of the noxfile: the code that each session uses, found without running it."""
