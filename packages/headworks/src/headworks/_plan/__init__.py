"""The plan: which sessions have to run, which verdicts cover the others, and why, in every form."""
