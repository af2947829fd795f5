"""The store of verdicts and outputs: content-addressed, atomic, verified on the way out."""
