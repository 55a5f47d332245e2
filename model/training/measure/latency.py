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
WARM_UP_RUNS = 5


@dataclass(frozen=True)
class Measurement:
    """Latency and memory of a model in one runtime, with one thread.

    Attributes:
        runtime: Name of the TFLite runtime's package.
        python: Version of Python.
        median_ms: Median latency of an inference, from input tensor to output tensor.
        p95_ms: 95th percentile of the same.
        resident_mb: Resident memory of the process after the runs.
        model_mb: The part of it that loading and running the model added.
        xnnpack: Whether the runtime's XNNPACK delegate accepted the model.
    """

    runtime: str
    python: str
    median_ms: float
    p95_ms: float
    resident_mb: float
    model_mb: float
    xnnpack: bool


def measure(file: Path, runs: int) -> Measurement:
    """Load a model in this process and time it on noise.

    Args:
        file: A .tflite.
        runs: Number of timed inferences.

    Returns:
        The measurement.

    Raises:
        FileNotFoundError: If there is no file.
        ModelRejected: If the runtime cannot load it.
    """
    before_mb = _resident_mb()
    model = interpreter.Interpreter(file)
    shape = model.input.with_size(model.input_wh).shape
    noise = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    times_ms = []
    for _ in range(WARM_UP_RUNS + runs):
        start = time.perf_counter()
        model(noise)
        times_ms.append((time.perf_counter() - start) * 1000)
    median, p95 = np.percentile(times_ms[WARM_UP_RUNS:], [50, 95])
    after_mb = _resident_mb()
    version = platform.python_version()
    return Measurement(model.runtime, version, float(median), float(p95), after_mb, after_mb - before_mb, model.xnnpack)


def measure_with(python: Path, file: Path, runs: int) -> Measurement:
    """Measure in a new process of a Python, with that environment's runtime.

    Args:
        python: The Python executable.
        file: A .tflite.
        runs: Number of timed inferences.

    Returns:
        The measurement.

    Raises:
        CommandError: If the process cannot be started or fails, with the last line that it printed.
    """
    command = [str(python), "-m", "model.training.measure.latency", str(file.resolve()), "--runs", str(runs)]
    try:
        process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except OSError as error:
        raise cli.CommandError(f"{file.name} cannot be measured with {python}: {error.strerror}") from error
    if process.returncode:
        lines = process.stderr.strip().splitlines() or [f"exit code {process.returncode}"]
        raise cli.CommandError(f"{file.name} cannot be measured with {python}: {lines[-1].removeprefix('error: ')}")
    return Measurement(**json.loads(process.stdout.splitlines()[-1]))


def _resident_mb() -> float:
    """Return this process's resident memory; 0 if the system has no /proc."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main(argv: Sequence[str] | None = None) -> None:
    """Print the measurement as one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m model.training.measure.latency", description=__doc__.split(":")[0])
    parser.add_argument("model", type=Path, metavar="MODEL.tflite")
    parser.add_argument("--runs", type=int, default=50, help="timed inferences, default 50")
    args = parser.parse_args(argv)
    print(json.dumps(asdict(measure(args.model, args.runs))))


if __name__ == "__main__":
    cli.run(main)
