"""A program `gcloud` that lets a running server execute its command; see gcloud_server."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SERVER = Path(__file__).with_name("gcloud_server.py")
CLIENT = """#!{python} -IS
import json, os, socket, sys
connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
connection.connect({path!r})
request = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "directory": os.getcwd()}}
socket.send_fds(connection, [json.dumps(request).encode()], [0, 1, 2])
os._exit(int(connection.recv(16) or 1))
"""


@functools.cache
def folder(startup: Path) -> Path | None:
    """Start the server, and return the folder with the program; None if gcloud is not installed.

    Args:
        startup: The folder with the `sitecustomize` module of gcloud's Python.
    """
    if not shutil.which("gcloud"):
        return None
    path = Path(tempfile.mkdtemp(prefix="gcloud-"))
    socket_path, program = path / "socket", path / "gcloud"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(path),
        "CLOUDSDK_CONFIG": str(path / "config"),
        "CLOUDSDK_PYTHON_ARGS": str(SERVER),
        "CLOUDSDK_PYTHON_SITEPACKAGES": "1",
        "PYTHONPATH": str(startup),
        "FAKE_GCP_LOOKUPS": str(path / "lookups"),
    }
    server = subprocess.Popen(["gcloud", str(socket_path)], env=environment, stdin=subprocess.PIPE)
    atexit.register(_stop, server, path)
    while not socket_path.exists():
        assert server.poll() is None, "the server of gcloud has ended"
        time.sleep(0.02)
    program.write_text(CLIENT.format(python=sys.executable, path=str(socket_path)))
    program.chmod(0o755)
    return path


def _stop(server: subprocess.Popen[bytes], path: Path) -> None:
    server.kill()
    server.wait()
    shutil.rmtree(path, ignore_errors=True)
