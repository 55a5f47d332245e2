"""Start the function here, ask it about one photo, and stop it: `python -m examples.demo [PHOTO]`."""

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

from client.__main__ import main as client

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "client" / "web" / "sample.jpg"
START_LIMIT_S = 60.0


@contextmanager
def function(log: Path) -> Iterator[str]:
    """Run the function on a free port, and yield its URL once it answers.

    log: where what it says goes
    raises: RuntimeError when it does not come up
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
    """Ask until something answers.

    raises: RuntimeError with the end of the log when the process ends, or time runs out
    """
    deadline = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(url, trust_env=False)
            return
        except httpx.TransportError:
            time.sleep(0.02)
    raise RuntimeError(f"the function did not start; the end of {log}:\n{log.read_text()[-2000:]}")


def main() -> int:
    """Write demo/mask.png and demo/overlay.png, and say how long each took.

    returns: the exit code
    """
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description="Photo in, mask out, on this machine.")
    parser.add_argument("photo", nargs="?", type=Path, default=SAMPLE)
    photo = parser.parse_args().photo
    out = Path("demo")
    out.mkdir(exist_ok=True)
    start = time.monotonic()
    log = out / "function.log"
    with function(log) as url:
        print(f"the function runs at {url}; it took {time.monotonic() - start:.1f} s to start; its log is {log}")
        codes = [
            client([str(photo), "--url", url, "--output", output, "--out", str(out / f"{output}.png")])
            for output in ("mask", "overlay")
        ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
