"""The size of the deployed source and of installed packages."""

from __future__ import annotations

import io
import subprocess
import zipfile
from pathlib import Path

from benchmarks.harness.options import ROOT

MB = 1e6
PRINT_SITE_PACKAGES = "import sysconfig; print(sysconfig.get_path('purelib'))"


def source_files(root: Path = ROOT) -> list[Path]:
    """List the files that `.gcloudignore`, an allow-list, selects for deployment."""
    lines = (root / ".gcloudignore").read_text().splitlines()
    patterns = [line[1:] for line in lines if line.startswith("!") and line != "!."]
    return sorted({file for pattern in patterns for file in root.glob(pattern) if file.is_file()})


def source_zipped_mb(root: Path = ROOT) -> float:
    """Return the size of the zip archive that a deployment uploads, in MB."""
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for source in source_files(root):
                archive.write(source, source.relative_to(root))
        return round(len(file.getvalue()) / MB, 2)


def installed_mb(python: Path) -> float:
    """Return the size of all packages in the environment of an interpreter, in MB."""
    done = subprocess.run([str(python), "-c", PRINT_SITE_PACKAGES], capture_output=True, text=True, check=True)
    files = [file for file in Path(done.stdout.strip()).rglob("*") if file.is_file()]
    return round(sum(file.stat().st_size for file in files) / MB, 1)
