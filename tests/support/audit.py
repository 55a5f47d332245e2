"""Check every locked package against PyPI's database of known vulnerabilities: `make audit`.

pip-audit reports "no known vulnerabilities found" even for a package that it could not look up; these are counted here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from tests.support.paths import ROOT

LOCK_FILES = [f"{folder}requirements.txt" for folder in ("", "client/", "deploy/lambda/", "deploy/azure/")]
PIP_AUDIT = ("pip-audit", "--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json")


@dataclass(frozen=True)
class Summary:
    """The result of an audit.

    Attributes:
        vulnerabilities: One line for each known vulnerability.
        unknown: Number of packages that could not be looked up.
        packages: Number of all packages.
    """

    vulnerabilities: list[str]
    unknown: int
    packages: int


def main() -> None:
    """Audit what the function and the client install; exit with 1 if there is a known vulnerability."""
    runs = [subprocess.run([*PIP_AUDIT, "-r", ROOT / name], capture_output=True, text=True) for name in LOCK_FILES]
    summary = summarize([run.stdout for run in runs])
    for line in summary.vulnerabilities:
        print(line)
    counts = f"{summary.packages} packages, {len(summary.vulnerabilities)} known vulnerabilities"
    print(f"{counts}, {summary.unknown} packages that could not be looked up")
    sys.exit(bool(summary.vulnerabilities))


def summarize(reports: list[str]) -> Summary:
    """Merge the reports of pip-audit.

    Args:
        reports: JSON, or any other text if pip-audit failed.
    """
    packages: dict[str, Any] = {}
    for number, report in enumerate(reports):
        try:
            packages |= {package["name"]: package for package in json.loads(report)["dependencies"]}
        except ValueError:
            packages[f"lock file {number}"] = {"skip_reason": "pip-audit failed"}
    lines = [
        f"{name} {package['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for name, package in packages.items()
        for flaw in package.get("vulns", [])
    ]
    return Summary(lines, sum("skip_reason" in package for package in packages.values()), len(packages))


if __name__ == "__main__":
    main()
