"""How much travels to the cloud, and how much is installed there."""

from __future__ import annotations

import io
import subprocess
import zipfile
from pathlib import Path

from benchmarks.harness.options import ROOT

MB = 1e6
SITE_PACKAGES = "import sysconfig; print(sysconfig.get_path('purelib'))"


def source_files(root: Path = ROOT) -> list[Path]:
    """List what `.gcloudignore`, an allow-list, lets through."""
    lines = (root / ".gcloudignore").read_text().splitlines()
    patterns = [line[1:] for line in lines if line.startswith("!") and line != "!."]
    return sorted({file for pattern in patterns for file in root.glob(pattern) if file.is_file()})


def source_zipped_mb(root: Path = ROOT) -> float:
    """Zip the source as the deployment does, and weigh it."""
    with io.BytesIO() as packed:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in source_files(root):
                archive.write(file, file.relative_to(root))
        return round(len(packed.getvalue()) / MB, 2)


def installed_mb(python: Path) -> float:
    """Weigh the packages of an environment that holds nothing else."""
    found = subprocess.run([str(python), "-c", SITE_PACKAGES], capture_output=True, text=True, check=True)
    files = [file for file in Path(found.stdout.strip()).rglob("*") if file.is_file()]
    return round(sum(file.stat().st_size for file in files) / MB, 1)
