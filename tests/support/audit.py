"""Hold every pinned package against PyPI's database of known vulnerabilities: `make audit`.

pip-audit says "no known vulnerabilities found" of a package that it could not look up, too; here that is told apart.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.support.paths import ROOT

LOCKED = ("requirements.txt", "client/requirements.txt")
PIP_AUDIT = ("pip-audit", "--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json")


def main() -> None:
    """Audit the files that the cloud and callers install from, and end with 1 where a vulnerability is known."""
    answers = [subprocess.run([*PIP_AUDIT, "-r", ROOT / name], capture_output=True, text=True) for name in LOCKED]
    found, unknown, asked = tally([answer.stdout for answer in answers])
    for line in found:
        print(line)
    print(f"{asked} packages, {len(found)} known vulnerabilities, {unknown} packages that could not be looked up")
    sys.exit(bool(found))


def tally(reports: list[str]) -> tuple[list[str], int, int]:
    """Read what pip-audit found.

    reports: its JSON; anything else when it could not even begin
    returns: a line for each known vulnerability, the packages that could not be looked up, and all packages
    """
    packages: dict[str, Any] = {}
    for report in reports:
        try:
            packages |= {package["name"]: package for package in json.loads(report)["dependencies"]}
        except ValueError:
            packages[f"a whole file ({len(packages)})"] = {"skip_reason": "pip-audit gave no answer"}
    unknown = sum("skip_reason" in package for package in packages.values())
    lines = [
        f"{name} {package['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for name, package in packages.items()
        for flaw in package.get("vulns", [])
    ]
    return lines, unknown, len(packages)


if __name__ == "__main__":
    main()
