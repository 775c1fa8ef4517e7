"""A worker process, from inside: take a job, run its cell, store the result, say so, wait for the next.

The lab starts it as `python -m twopart.lab.worker <socket> <lab's process id> <lock>`. It must not outlive the lab, even
one killed by SIGKILL: it asks the kernel to be killed with its parent, and a thread watches the socket where the kernel
cannot be asked. Ctrl-C is the lab's to handle; the lab starts workers with SIGINT blocked.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

from twopart.lab.messages import Done, Failed, Rehearse, Rehearsed, Reporter, Run
from twopart.lab.rehearsal import try_out

_REPORT_EVERY = 0.1  # seconds between progress messages


def main(socket: int, parent: int, lock: int) -> None:
    _die_with(parent, socket)
    os.set_inheritable(lock, False)
    connection = Connection(socket)
    while True:
        try:
            order: Run | Rehearse = connection.recv()
        except EOFError:
            return
        connection.send(_attempt(order, connection))


def _attempt(order: Run | Rehearse, connection: Connection[Any, Any]) -> Done | Rehearsed | Failed:
    try:
        if isinstance(order, Rehearse):
            return try_out(order.job, order.device)
        order.job.run(order.device, Reporter(connection.send, _REPORT_EVERY))
    except Exception as error:
        return Failed.of(error)
    return Done()


def _die_with(parent: int, socket: int) -> None:
    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG, prctl(2)
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before we asked
        os._exit(1)
    threading.Thread(target=_watch, args=(socket,), daemon=True).start()


def _watch(socket: int) -> None:
    """End this process when the other end of the socket is closed."""
    hung_up = select.poll()
    hung_up.register(socket, 0)  # a hang-up is reported whatever is asked for
    hung_up.poll()
    os._exit(1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
