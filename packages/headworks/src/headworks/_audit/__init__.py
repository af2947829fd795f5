"""Audits: the files that a session reads, compared with those in its digest."""
