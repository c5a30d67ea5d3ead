"""Forbid the network. conftest.py puts this folder on PYTHONPATH, so Python runs it in every
process of the tests.
"""

import sys

LOCAL = ("127.", "localhost", "::1", "0.0.0.0")


def refuse(event: str, args: tuple) -> None:
    if event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host and not str(host).startswith(LOCAL):
        raise OSError(f"the tests run without a network, and something asked for {host}")


def forbid_network() -> None:
    """From now on this process reaches itself only. There is no way back, as for any audit hook."""
    if not getattr(sys, "_gencourse_offline", False):
        sys._gencourse_offline = True
        sys.addaudithook(refuse)


forbid_network()
