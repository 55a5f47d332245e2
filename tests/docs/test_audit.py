from __future__ import annotations

import json

from tests.support import audit


def test_known_vulnerabilities_and_unknown_packages_are_counted_separately() -> None:
    report = {
        "dependencies": [
            {"name": "sound", "version": "1", "vulns": []},
            {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]},
            {"name": "unknown", "skip_reason": "not found"},
        ]
    }
    assert audit.summarize([json.dumps(report)]) == audit.Summary(["bad 2: PYSEC-1, fixed in 3"], 1, 3)


def test_an_audit_without_the_database_reports_unknown_packages() -> None:
    summary = audit.summarize(["", ""])
    assert (summary.vulnerabilities, summary.unknown) == ([], 2)
