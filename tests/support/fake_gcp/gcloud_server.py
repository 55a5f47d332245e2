"""Run gcloud commands in forked processes, which saves each command the second of importing gcloud.

The real `gcloud` script starts this file in place of gcloud.py, whose path is the first argument. The program that
`fast_gcloud` puts first in PATH sends its standard input, output and error, and its arguments, environment and
directory as JSON, through a socket and receives the exit code. The command itself is gcloud's own main function.
"""

from __future__ import annotations

import json
import os
import runpy
import select
import signal
import socket
import sys
from collections.abc import Callable

REQUEST_BYTES = 1 << 20


def main(gcloud_py: str, path: str) -> None:
    """Import gcloud, and serve until standard input is closed.

    Args:
        gcloud_py: The path of gcloud.py.
        path: The path of the socket to create.
    """
    gcloud = runpy.run_path(gcloud_py)
    sys.path = gcloud["reorder_sys_path"](sys.path)
    gcloud["_fix_google_module"]()
    run = gcloud["_import_gcloud_main"]().main
    # The gcloud script has exported these; a command that does not run through the script needs them too.
    exported = {name: os.environ[name] for name in os.environ if name.startswith("CLOUDSDK_")}
    del exported["CLOUDSDK_PYTHON_ARGS"]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(path)
        server.listen(64)
        while server in select.select([server, sys.stdin], [], [])[0]:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                serve(connection, run, exported)
            connection.close()


def serve(connection: socket.socket, run: Callable[[], object], exported: dict[str, str]) -> None:
    """Run one command in this process, send its exit code, and exit."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    data, descriptors, _, _ = socket.recv_fds(connection, REQUEST_BYTES, 3)
    request = json.loads(data)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(exported | request["environment"])
    os.chdir(request["directory"])
    sys.argv[1:] = request["arguments"]
    code = 1
    try:
        run()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.send(str(code).encode())
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
