"""Remedies for errors of the operating system."""

from __future__ import annotations

import errno

_PERMISSIONS = "change the permissions or choose another place"
_FILE_IN_THE_WAY = "a file stands where a folder must be: choose another name"
ADVICE = {
    errno.EACCES: _PERMISSIONS,
    errno.EPERM: _PERMISSIONS,
    errno.EROFS: "choose a place that can be written to",
    errno.ENOSPC: "free space there or choose another folder",
    errno.EDQUOT: "free space within the quota or choose another folder",
    errno.EFBIG: "raise the limit on the size of a file or choose another folder",
    errno.ENOENT: "correct the name, or make the missing file or folder",
    errno.EEXIST: _FILE_IN_THE_WAY,
    errno.ENOTDIR: _FILE_IN_THE_WAY,
    errno.EISDIR: "a folder stands where a file must be: choose another name",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "mend the link, which leads back to itself",
    errno.EMFILE: "raise the limit on open files",
}


def advice(error: BaseException, otherwise: str = "choose another place") -> str:
    """Return the remedy for an error of the operating system.

    Args:
        error: The error.
        otherwise: The remedy for other errors.
    """
    return ADVICE.get(getattr(error, "errno", None) or 0, otherwise)
