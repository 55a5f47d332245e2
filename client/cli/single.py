"""The command for a single photo: segment it and describe the result."""

from __future__ import annotations

import sys

from ..result import SegmentResult
from .arguments import CliOptions, make_client
from .atomic_write import write_atomically
from .contact_sheet import SheetEntry, draw_sheets
from .image_viewer import open_in_viewer
from .job import FileJob, run_job
from .output_paths import plan_single
from .run_log import RunLog
from .terminal import escape


def run_single(options: CliOptions) -> int:
    """Segment a single photo and print where the time went.

    Args:
        options: The options of the command line.

    Returns:
        The exit code.

    Raises:
        ClientError: If the photo fails, or a log or contact sheet cannot be written.
        UsageError: If --compare names a file without an image extension.
    """
    job = plan_single(options)
    with make_client(options) as client:
        log = RunLog(options.log)
        outcome = run_job(job, client, options)
        log.write(outcome)
        log.close()
    if outcome.error is not None:
        raise outcome.error
    if isinstance(outcome.response, SegmentResult) and not options.quiet:
        # Standard output may be the destination of the result itself.
        stream = sys.stderr if job.destination is None else sys.stdout
        print("\n".join(escape(line) for line in _describe(job, outcome.response)), file=stream)
    if options.contact_sheet and job.photo and job.destination:
        for sheet in draw_sheets([SheetEntry(job.photo, job.destination)], options.contact_sheet.suffix):
            write_atomically(options.contact_sheet, sheet)
    if options.show and job.destination and (message := open_in_viewer(job.compare or job.destination)):
        print(escape(message), file=sys.stderr)
    return 0


def _describe(job: FileJob, result: SegmentResult) -> list[str]:
    """Return lines about the result's file, its size, the timings and the model."""
    size = f"  {result.size_wh[0]} x {result.size_wh[1]}" if result.size_wh else ""
    stages = ", ".join(f"{stage} {ms:.1f} ms" for stage, ms in result.server_timing_ms.items())
    lines = [
        f"wrote       {job.destination or 'to standard output'}{size}",
        f"round trip  {result.round_trip_ms:.1f} ms" + (" (cold start)" if result.cold_start else ""),
        f"server      {stages or 'no Server-Timing header'}",
        f"model       {result.model or 'no X-Model header'}",
    ]
    if job.compare is not None:
        lines.insert(1, f"wrote       {job.compare}")
    return lines
