"""Audits: what a session reads, beside what its digest covers."""
