"""Start the function here, ask it about one photo, and stop it: `python -m client.demo [PHOTO]`."""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from client.__main__ import main as client

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "client" / "web" / "sample.jpg"
START_LIMIT_S = 60.0


@contextmanager
def function() -> Iterator[str]:
    """Run the function on a free port, and yield its URL once it answers.

    raises: RuntimeError when it does not come up
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "functions_framework", "--target", "run", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", str(port)], cwd=ROOT, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, process)
        yield url
    finally:
        process.terminate()
        process.wait()


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    """Ask until something answers.

    raises: RuntimeError when the process ends, or time runs out
    """
    deadline = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(url, trust_env=False)
            return
        except httpx.TransportError:
            time.sleep(0.02)
    raise RuntimeError("the function did not start")


def main() -> int:
    """Write demo/mask.png and demo/overlay.png, and say how long each took.

    returns: the exit code
    """
    parser = argparse.ArgumentParser(prog="python -m client.demo", description="Photo in, mask out, on this machine.")
    parser.add_argument("photo", nargs="?", type=Path, default=SAMPLE)
    photo = parser.parse_args().photo
    out = Path("demo")
    out.mkdir(exist_ok=True)
    start = time.monotonic()
    with function() as url:
        print(f"the function runs at {url}; it took {time.monotonic() - start:.1f} s to start")
        codes = [
            client([str(photo), "--url", url, "--output", output, "--out", str(out / f"{output}.png")])
            for output in ("mask", "overlay")
        ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
