"""Latency and memory of a .tflite: `python -m model.training.measure.latency MODEL.tflite`.

The measurement uses the TFLite runtime of the Python that runs this module.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from model.training import cli
from model.training.measure import interpreter

ROOT = Path(__file__).parents[3]
WARM_UPS = 5


@dataclass(frozen=True)
class Figures:
    """What one model costs in one runtime, in one thread.

    python: the version that ran it
    median_ms, p95_ms: of one inference, tensor to tensor
    resident_mb: of the whole process after the runs; model_mb: what of it came with the model
    xnnpack: whether the runtime's XNNPACK took the model
    """

    runtime: str
    python: str
    median_ms: float
    p95_ms: float
    resident_mb: float
    model_mb: float
    xnnpack: bool


def measure(model: Path, runs: int) -> Figures:
    """Load the model here and run it on noise.

    raises: FileNotFoundError, ModelRejected
    """
    interpreter.installed()
    before_mb = _resident_mb()
    loaded = interpreter.Interpreter(model)
    width, height = loaded.input_wh
    noise = np.random.default_rng(0).uniform(-1, 1, (1, height, width, 3)).astype(np.float32)
    times_ms = []
    for _ in range(WARM_UPS + runs):
        start = time.perf_counter()
        loaded(noise)
        times_ms.append((time.perf_counter() - start) * 1000)
    median, p95 = np.percentile(times_ms[WARM_UPS:], [50, 95])
    after_mb = _resident_mb()
    version = platform.python_version()
    return Figures(loaded.runtime, version, float(median), float(p95), after_mb, after_mb - before_mb, loaded.xnnpack)


def measure_with(python: Path, model: Path, runs: int) -> Figures:
    """Measure in a process of another environment's Python, so that memory and runtime are its own.

    raises: CommandError with the last line that the process said
    """
    command = [str(python), "-m", "model.training.measure.latency", str(model.resolve()), "--runs", str(runs)]
    try:
        child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except OSError as error:
        raise cli.CommandError(f"{model.name} cannot be measured with {python}: {error.strerror}") from error
    if child.returncode:
        said = child.stderr.strip().splitlines() or [f"it ended with {child.returncode}"]
        raise cli.CommandError(f"{model.name} cannot be measured with {python}: {said[-1].removeprefix('error: ')}")
    return Figures(**json.loads(child.stdout.splitlines()[-1]))


def _resident_mb() -> float:
    """Read how much memory this process has in use; 0 where the system does not say."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main(argv: Sequence[str] | None = None) -> None:
    """Print the figures as one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m model.training.measure.latency", description=__doc__.split(":")[0])
    parser.add_argument("model", type=Path, metavar="MODEL.tflite")
    parser.add_argument("--runs", type=int, default=50)
    args = parser.parse_args(argv)
    print(json.dumps(asdict(measure(args.model, args.runs))))


if __name__ == "__main__":
    cli.run(main)
