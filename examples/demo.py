"""Start the function on this machine, segment one photo, and stop it: `python -m examples.demo [PHOTO]`."""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from client.cli.main import main as run_client

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "client" / "web" / "sample.jpg"
START_TIMEOUT_S = 60.0


@contextmanager
def running_function(log: Path) -> Iterator[str]:
    """Run the function on a free port.

    Args:
        log: File for the function's output.

    Yields:
        The URL, once the function responds.

    Raises:
        RuntimeError: If the function does not start.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "functions_framework", "--target", "run", "--host", "127.0.0.1"]
    command += ["--port", str(port)]
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, process, log)
        yield url
    finally:
        process.terminate()
        process.wait()


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Poll the URL until it responds.

    Raises:
        RuntimeError: If the process exits or the timeout expires; the message has the end of the log.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(url, trust_env=False)
            return
        except httpx.TransportError:
            time.sleep(0.02)
    raise RuntimeError(f"the function did not start; the end of {log}:\n{log.read_text()[-2000:]}")


def main() -> int:
    """Write demo/mask.png and demo/overlay.png, print the timings, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description="Segment a photo on this machine.")
    parser.add_argument("photo", nargs="?", type=Path, default=SAMPLE, help="the photo (default: the sample photo)")
    photo = parser.parse_args().photo
    out = Path("demo")
    out.mkdir(exist_ok=True)
    started_at = time.monotonic()
    log = out / "function.log"
    with running_function(log) as url:
        print(f"the function runs at {url}; it started in {time.monotonic() - started_at:.1f} s; its log is {log}")
        exit_codes = [
            run_client([str(photo), "--url", url, "--output", output, "--out", str(out / f"{output}.png"), "--force"])
            for output in ("mask", "overlay")
        ]
    return max(exit_codes)


if __name__ == "__main__":
    sys.exit(main())
