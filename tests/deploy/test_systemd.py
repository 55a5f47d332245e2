"""The systemd unit: its command, run here with what can be imposed without systemd, and systemd's own opinion of it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import httpx
import pytest

from tests.support.function_process import launched
from tests.support.paths import ROOT

UNIT = ROOT / "deploy" / "systemd" / "silhouette.service"
FOLDER = "/opt/silhouette"  # where the unit expects the repository
# Run a command as MemoryDenyWriteExecute=yes and NoNewPrivileges=yes do (prctl numbers 65 and 38); a kernel before 6.3
# ignores the first.
RESTRICTED = """
import ctypes, os, sys
prctl = ctypes.CDLL(None).prctl
prctl(65, 1, 0, 0, 0)
assert prctl(38, 1, 0, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


def service_section() -> dict[str, str]:
    """Return the [Service] section of the unit; of a name that is there twice, the last value."""
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return dict(parser["Service"])


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a command that exists here."""
    file = tmp_path / UNIT.name
    file.write_text(UNIT.read_text().replace(f"{FOLDER}/.venv/bin/functions-framework", "/bin/true"))
    return file


@pytest.mark.skipif(sys.platform != "linux", reason="systemd runs on Linux only")
def test_the_units_command_returns_the_mask_with_its_restrictions(sample: bytes, sample_mask: bytes) -> None:
    service = service_section()
    program, *arguments = shlex.split(service["ExecStart"])
    assert program == f"{FOLDER}/.venv/bin/functions-framework"
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert options == {"--target": "run", "--source": f"{FOLDER}/main.py", "--host": "127.0.0.1", "--port": "8080"}
    env = dict(re.findall(r"(\w+)=(\S+)", service["Environment"]))
    with launched(env, wrapper=(sys.executable, "-c", RESTRICTED)) as function:
        assert httpx.get(f"{function.url}/health").status_code == 200
        assert httpx.post(function.url, content=sample).content == sample_mask


def test_the_function_has_the_time_to_end_its_requests() -> None:
    graceful = int(re.search(r"SHUTDOWN_TIMEOUT_S = (\d+)", (ROOT / "main.py").read_text())[1])  # type: ignore[index]
    assert graceful < int(service_section()["TimeoutStopSec"])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_accepts_the_unit(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_finds_little_that_the_unit_may_do(unit: Path) -> None:
    """Of 0, the safest, to 10; a unit without restrictions has 9.6."""
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "SYSTEMD_COLORS": "0"})
    assert done.returncode == 0, done.stdout
    assert "UMask=" in done.stdout
