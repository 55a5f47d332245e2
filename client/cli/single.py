"""The command about one photo: do it, and tell all about it."""

from __future__ import annotations

import sys

from client.cli.arguments import Options, make_client
from client.cli.atomic_write import write_whole
from client.cli.contact_sheet import Pair, draw_sheets
from client.cli.open_file import show
from client.cli.output_paths import plan_one
from client.cli.run_log import Journal
from client.cli.task import Job, do
from client.result import Answer


def run_one(options: Options) -> int:
    """Do the photo; give back the exit code.

    raises: ClientError
    """
    job = plan_one(options)
    with make_client(options) as client:
        journal = Journal(options.log)
        outcome = do(job, client, options)
        journal.write(outcome)
        journal.close()
    if outcome.error is not None:
        raise outcome.error
    if outcome.answer is not None and not options.quiet:
        # Where the result itself goes to standard output, nothing else may.
        print("\n".join(describe(job, outcome.answer)), file=sys.stderr if job.result is None else sys.stdout)
    if options.contact_sheet and job.photo and job.result:
        for sheet in draw_sheets([Pair(job.photo, job.result)], options.contact_sheet.suffix):
            write_whole(options.contact_sheet, sheet)
    if options.show and job.result and (complaint := show(job.compare or job.result)):
        print(complaint, file=sys.stderr)
    return 0


def describe(job: Job, answer: Answer) -> list[str]:
    """Tell where the result is, its size, and where the time went."""
    size = f"  {answer.size_wh[0]} x {answer.size_wh[1]}" if answer.size_wh else ""
    stages = ", ".join(f"{stage} {ms:.1f} ms" for stage, ms in answer.server_timing_ms.items())
    lines = [
        f"wrote       {job.result or 'to standard output'}{size}",
        f"round trip  {answer.round_trip_ms:.1f} ms" + (" (cold start)" if answer.cold_start else ""),
        f"server      {stages or 'says nothing of its times'}",
        f"model       {answer.model or 'not named by the server'}",
    ]
    if job.compare is not None:
        lines.insert(1, f"wrote       {job.compare}")
    return lines
