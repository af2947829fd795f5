"""Trees in git: the files of a commit or of the work tree, and the commit that a change is compared with."""
