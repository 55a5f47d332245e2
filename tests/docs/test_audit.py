from __future__ import annotations

import json

from tests.support import audit


def test_a_known_vulnerability_is_told_from_a_package_that_could_not_be_looked_up() -> None:
    report = {
        "dependencies": [
            {"name": "sound", "version": "1", "vulns": []},
            {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]},
            {"name": "dark", "skip_reason": "not found"},
        ]
    }
    assert audit.tally([json.dumps(report)]) == (["bad 2: PYSEC-1, mended in 3"], 1, 3)


def test_a_database_out_of_reach_is_no_clean_bill() -> None:
    assert audit.tally(["", ""])[:2] == ([], 2)
