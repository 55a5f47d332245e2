"""Bundle the function for AWS Lambda or Azure Functions: python -m deploy.bundle lambda."""

from __future__ import annotations

import argparse
import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHON_VERSION = "3.13"
ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}  # AWS's name: that of the wheels
GLIBC = "manylinux_2_34"  # of Amazon Linux 2023
MAX_ZIP_BYTES = 50 * 2**20  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_UNZIPPED_BYTES = 250 * 2**20
# Parts of packages that the function never loads: GPU and NPU support and tools of LiteRT, test suites, scripts.
UNUSED = (
    *("ai_edge_litert/libLiteRtWebGpuAccelerator.*", "ai_edge_litert/tools", "ai_edge_litert/vendors"),
    *("**/tests", "bin", "**/__pycache__"),
)
# What the function imports when it starts. Bytecode of everything would exceed the limit of an archive.
IMPORTED = (
    *("handler.py", "main.py", "model", "ai_edge_litert", "numpy", "PIL", "apig_wsgi", "functions_framework", "flask"),
    *("werkzeug", "jinja2", "click", "blinker", "itsdangerous", "markupsafe", "cloudevents", "deprecation.py"),
    *("gunicorn", "packaging", "google/cloud/functions", "google/cloud/functions_v1"),
)
NOT_IMPORTED = re.compile("numpy/(f2py|ma|polynomial|testing)/|ai_edge_litert/tflite/")
TASK_ROOT = "/var/task"  # where Lambda unzips the archive


def main() -> None:
    """Write the archive that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bundle", description=__doc__)
    parser.add_argument("platform", choices=("lambda", "azure"))
    parser.add_argument(
        "--arch", choices=ARCHITECTURES, default="x86_64", help="CPU of the Lambda function (default: x86_64)"
    )
    parser.add_argument("--out", type=Path, help="the archive (default: build/silhouette-PLATFORM.zip)")
    args = parser.parse_args()
    archive = args.out or ROOT / "build" / f"silhouette-{args.platform}.zip"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if args.platform == "lambda":
            install_packages(folder, ARCHITECTURES[args.arch])
            stage_lambda(folder)
            compile_modules(folder)
        else:
            stage_azure(folder)
        unzipped_bytes = write_zip(folder, archive)
    if args.platform == "lambda":
        check_size(archive.stat().st_size, unzipped_bytes)
    print(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB, unzipped {unzipped_bytes / 1e6:.1f} MB")


def source_files() -> list[Path]:
    """Return the files of the function, the same that are uploaded to Cloud Functions but for requirements.txt."""
    modules = [file for file in ROOT.glob("model/**/*.py") if ROOT / "model" / "training" not in file.parents]
    pages = [file for file in ROOT.glob("client/web/*") if not file.name.startswith(".")]
    return [ROOT / "main.py", *sorted(modules), *sorted(ROOT.glob("model/weights/*.tflite")), *sorted(pages)]


def stage_lambda(folder: Path) -> None:
    """Copy the function and the handler of AWS Lambda to a folder."""
    copy_source(folder)
    shutil.copy(ROOT / "deploy/lambda/handler.py", folder)
    (folder / "model/weights/pets-float16.tflite").unlink(missing_ok=True)  # for tflite-runtime


def stage_azure(folder: Path) -> None:
    """Copy the function and the files of Azure Functions, which installs requirements.txt itself, to a folder."""
    copy_source(folder)
    for name in ("function_app.py", "host.json"):
        shutil.copy(ROOT / "deploy/azure" / name, folder)
    locks = [(ROOT / name).read_text() for name in ("requirements.txt", "deploy/azure/requirements.txt")]
    (folder / "requirements.txt").write_text("".join(locks))


def copy_source(folder: Path) -> None:
    """Copy the files of the function to a folder."""
    for file in source_files():
        target = folder / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)


def install_packages(folder: Path, machine: str) -> None:
    """Install the locked packages for Amazon Linux, whatever this machine is, without the parts in UNUSED.

    pip cannot do this: it evaluates environment markers for the Python that runs it.
    """
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if not uv:
        sys.exit("uv is not installed: python -m pip install uv")
    command = [uv, "pip", "install", "--quiet", "--target", str(folder), "--only-binary", ":all:", "--require-hashes"]
    command += ["--python-version", PYTHON_VERSION, "--python-platform", f"{machine}-{GLIBC}"]
    for name in ("requirements.txt", "deploy/lambda/requirements.txt"):
        command += ["-r", str(ROOT / name)]
    if subprocess.run(command).returncode:
        sys.exit("the packages cannot be installed: see the message above")
    for path in [path for pattern in UNUSED for path in folder.glob(pattern)]:
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)


def compile_modules(folder: Path) -> None:
    """Add the bytecode of IMPORTED to a folder: Lambda's file system is read-only, so that each start would compile it.

    Args:
        folder: The folder, with the packages.
    """
    if "{}.{}".format(*sys.version_info) != PYTHON_VERSION:
        print(
            f"No bytecode, so that starts take about a second longer: run this with Python {PYTHON_VERSION} for that."
        )
        return
    for path in [folder / name for name in IMPORTED]:
        compile_path = compileall.compile_dir if path.is_dir() else compileall.compile_file
        compile_path(
            path,
            quiet=2,
            rx=NOT_IMPORTED,
            stripdir=folder,
            prependdir=TASK_ROOT,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,  # the files' dates change
        )


def write_zip(folder: Path, archive: Path) -> int:
    """Write a folder's files into a ZIP archive whose bytes depend on nothing else.

    Args:
        folder: The folder.
        archive: The archive; an existing one is replaced.

    Returns:
        The sum of the files' sizes.
    """
    total = 0
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())  # dated 1980
            entry.external_attr = 0o100644 << 16  # Lambda runs the function as another user, who must be able to read
            entry.compress_type = zipfile.ZIP_DEFLATED
            content = file.read_bytes()
            target.writestr(entry, content, compresslevel=9)
            total += len(content)
    return total


def check_size(zip_bytes: int, unzipped_bytes: int) -> None:
    """Report an archive that AWS Lambda does not accept, and exit."""
    if unzipped_bytes > MAX_UNZIPPED_BYTES:
        sys.exit(f"the archive has {unzipped_bytes} bytes unzipped, more than Lambda's limit of {MAX_UNZIPPED_BYTES}")
    if zip_bytes > MAX_ZIP_BYTES:
        print(f"The archive is larger than {MAX_ZIP_BYTES} bytes: only sam, or an upload through S3, can deploy it.")


if __name__ == "__main__":
    main()
