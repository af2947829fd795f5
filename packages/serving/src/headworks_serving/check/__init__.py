"""The check that a running server gives the predictions that the evaluation gave; a command, not an API.

It needs `headworks-serving[check]`: a client and a reader of Parquet, which the server itself does without.
"""
