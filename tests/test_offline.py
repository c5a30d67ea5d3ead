"""The guard that keeps the tests off the network: it refuses other machines, in this process and in
those it starts.
"""

import socket
import subprocess
import sys

import pytest


def test_other_machines_are_out_of_reach():
    with pytest.raises(OSError, match="without a network"):
        socket.getaddrinfo("example.org", 80)
    with pytest.raises(OSError, match="without a network"), socket.socket() as connection:
        connection.connect(("192.0.2.1", 80))  # an address that is reserved for documentation


def test_this_machine_is_within_reach():
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())


def test_processes_of_the_tests_are_guarded_too():
    code = "import socket; socket.getaddrinfo('example.org', 80)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode != 0 and "without a network" in done.stderr
