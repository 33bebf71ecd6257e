"""The preStop hook, which keeps a pod until its last request has its response. Real shells run it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time

import pytest

from kindler.core.endpoint.podspec import drain_script

SHELLS = [shell for shell in ("/bin/sh", "/bin/dash", "/bin/bash") if shutil.which(shell)]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_drain_hook_waits_for_the_last_connection(shell: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = listener.accept()
            hook = subprocess.Popen([shell, "-c", drain_script(port, 60)], stderr=subprocess.PIPE)
            with pytest.raises(subprocess.TimeoutExpired):
                hook.wait(2)
            client.close()
            accepted.close()
        assert hook.wait(20) == 0
        assert hook.stderr is not None
        assert hook.stderr.read() == b""
        hook.stderr.close()


def test_the_drain_hook_ends_after_the_invocation_time() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("::1", port)):
            accepted, _ = listener.accept()
            with accepted:
                began = time.monotonic()
                assert subprocess.run(["/bin/sh", "-c", drain_script(port, 1)], check=False, timeout=60).returncode == 0
                assert time.monotonic() - began >= 1.9, "1 s of lag of the watch, then 1 s of waiting"
