"""The report: one page that a reviewer reads instead of logs."""
