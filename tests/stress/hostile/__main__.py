"""Throw the corpus at a function of its own, and print what became of it."""

from __future__ import annotations

import argparse
import json
import sys

from tests.support.function_process import launched

from .corpus import cases
from .trial import send

parser = argparse.ArgumentParser(prog="python -m tests.stress.hostile", description=__doc__)
parser.add_argument("--cases", type=int, default=10_000)
parser.add_argument("--seed", type=int, default=1)
arguments = parser.parse_args()

with launched({"INTERPRETERS": "1"}) as function:
    findings = send(function.url, cases(arguments.cases, arguments.seed), function.pss_mb)
for fault in findings.wrong:
    print(fault, file=sys.stderr)
print(json.dumps({"seed": arguments.seed, **findings.figures()}))
sys.exit(bool(findings.wrong))
