"""The size of the deployed source and of installed packages."""

from __future__ import annotations

import io
import re
import subprocess
import zipfile
from pathlib import Path

from benchmarks.harness.options import ROOT

MB = 1e6
PRINT_SITE_PACKAGES = "import sysconfig; print(sysconfig.get_path('purelib'))"


def source_files(root: Path = ROOT) -> list[Path]:
    """List the files that deploy/upload.sh allows in an upload."""
    allowed = re.search(r"^ALLOWED='(.+)'$", (root / "deploy" / "upload.sh").read_text(), re.MULTILINE)
    assert allowed, "deploy/upload.sh has no pattern ALLOWED"
    files = [*root.glob("*"), *root.glob("model/**/*"), *root.glob("client/web/*")]
    names = [file.relative_to(root).as_posix() for file in files if file.is_file()]
    return [root / name for name in sorted(names) if re.search(allowed[1], name) and "model/training/" not in name]


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
