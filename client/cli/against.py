"""The comparison command: the masks of two functions for the same photos."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from ..client import Client
from ..errors import ClientError, PhotoError
from ..mask import Mask
from ..photo import read_photo
from .agreement import ComparedResult, compare_masks
from .arguments import CliOptions, make_client
from .atomic_write import write_atomically
from .batch import report_no_photos, run_jobs
from .batch_state import BatchState
from .comparison_summary import ComparisonSummary
from .disagreement_sheet import draw_disagreements
from .job import FileJob, Outcome, outcome_of
from .output_paths import plan_comparison
from .terminal import escape

Result = TypeVar("Result")
DISAGREEMENT = 3  # the exit code


def run_comparison(options: CliOptions) -> int:
    """Compare the masks of --url with those of --against, photo by photo.

    Args:
        options: The options of the command line.

    Returns:
        The exit code: 3 if every photo was compared and the mean agreement is below --min-agreement.

    Raises:
        ClientError: If a function does not describe its model, the models have different classes, or the log or the
            sheet cannot be written.
        UsageError: If --contact-sheet is the file of something else.
    """
    jobs = plan_comparison(options)
    if not jobs:
        return report_no_photos(options)
    reference_options = replace(options, url=options.against or "", audience=None)
    background = _common_background(options, reference_options)
    state = BatchState(options, len(jobs))
    summary = ComparisonSummary()
    even = set(jobs[::2])
    with make_client(reference_options, state.stop) as reference:

        def work(job: FileJob, client: Client) -> Outcome:
            # Each function is the first to get every other photo.
            sides = [("--url", client), ("--against", reference)][:: 1 if job in even else -1]
            outcome = outcome_of(job, lambda: _compare(job, dict(sides), options, background))
            summary.add(outcome)
            return outcome

        code = run_jobs(state, jobs, work)
    if summary.agreements:
        _report(options, summary, background)
    return DISAGREEMENT if code == 0 and summary.mean < options.min_agreement else code


def _report(options: CliOptions, summary: ComparisonSummary, background: int | None) -> None:
    """Print the summary, and draw the sheet if one is requested."""
    if not options.quiet:
        print("\n".join(escape(line) for line in summary.lines()), flush=True)
    if summary.mean < options.min_agreement:
        print(f"the mean agreement is below --min-agreement {options.min_agreement:g}", file=sys.stderr)
    if options.contact_sheet is not None:
        sheet = draw_disagreements(summary.worst, background, options.contact_sheet.suffix)
        write_atomically(options.contact_sheet, sheet)


def _common_background(options: CliOptions, reference_options: CliOptions) -> int | None:
    """Return the class id of the background in the masks of both functions; None if every class counts.

    Raises:
        ClientError: If the models have different classes, or a function does not describe its model.
    """
    with make_client(options) as new, make_client(reference_options) as reference:
        models = [_on_side("--url", new.model), _on_side("--against", reference.model)]
    names = [_class_names(model) for model in models]
    if options.segment.class_name is not None or max(map(len, names)) <= 2:
        return 0  # such masks have one bit
    if names[0] != names[1]:
        raise ClientError(
            f"the models have different classes: {', '.join(names[0])}; those of --against are {', '.join(names[1])}; "
            "compare one class with --class NAME"
        )
    background: int | None = models[0].get("background")
    return background


def _class_names(model: dict[str, Any]) -> list[str]:
    """Return the names of a model's classes; none if its description lacks them."""
    try:
        return [str(each["name"]) for each in model["classes"]]
    except (KeyError, TypeError):
        return []


def _compare(job: FileJob, clients: dict[str, Client], options: CliOptions, background: int | None) -> ComparedResult:
    """Segment a photo with both functions, in the order of the clients, and compare the masks."""
    if job.refusal is not None or job.photo is None:
        raise PhotoError(job.refusal or "not a file")
    photo, segment = read_photo(job.photo), options.segment

    def request(client: Client) -> Mask:
        return client.segment(photo, threshold=segment.threshold, class_name=segment.class_name)

    masks = {side: _on_side(side, functools.partial(request, client)) for side, client in clients.items()}
    return compare_masks(masks["--url"], masks["--against"], background)


def _on_side(side: str, request: Callable[[], Result]) -> Result:
    """Send a request; an error names the option of the function that it is from."""
    try:
        return request()
    except ClientError as error:
        error.detail = f"{side}: {error.detail}"
        raise
