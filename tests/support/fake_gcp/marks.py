"""Conditions under which tests that run deploy.sh are skipped."""

from __future__ import annotations

import shutil
import sys

import pytest

requires_gcloud = [
    pytest.mark.gcloud,
    pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed"),
    pytest.mark.skipif(sys.version_info[:2] > (3, 13), reason="Cloud Functions has no such Python version"),
]
