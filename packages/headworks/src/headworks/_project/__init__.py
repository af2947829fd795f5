"""What the files of a repository say: packages, the table of sessions, the lock, the sessions themselves."""
