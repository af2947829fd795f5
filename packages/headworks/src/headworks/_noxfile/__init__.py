"""What each session owes to the noxfile, told from its code without running it."""
