"""The HTTP function: the entry point `run`, the routes (ROUTES), and the table from errors to statuses (STATUS)."""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask
import functions_framework
import gunicorn.config
import gunicorn.util
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.http import HTTP_STATUS_CODES

from model import errors
from model.gcs import events
from model.options import OPTION_NAMES, Options
from model.serving import cloud_logging, http_headers, malloc, request_body, request_options, response_size, upload
from model.serving import problem as problem_json
from model.serving.model_loader import ModelLoader
from model.serving.settings import Settings

if TYPE_CHECKING:
    from model.segmenter import Segmenter

Handler = Callable[[flask.Request], flask.Response]
STATUS: dict[type[errors.SilhouetteError], int] = {
    errors.EmptyBody: 400,
    errors.BadOption: 400,
    errors.NotAPhoto: 415,
    errors.BrokenPhoto: 422,
    errors.PhotoTooLarge: 413,
    errors.ResponseTooLarge: 413,
    errors.UploadTooSlow: 408,
    errors.ModelNotFound: 503,
    errors.ModelRejected: 500,
    errors.InferenceFailed: 500,
    errors.Busy: 503,
    errors.BadEvent: 400,
    errors.StorageFailed: 503,
}
RETRY_AFTER_S = 2
SHUTDOWN_TIMEOUT_S = 7  # for requests in progress; Cloud Run kills the instance 10 s after SIGTERM
WEB = Path(__file__).parent / "client" / "web"


def start() -> tuple[Settings, ModelLoader]:
    """Configure the process, read the settings and load the model; exit if that cannot succeed."""
    gunicorn.config.GracefulTimeout.default = SHUTDOWN_TIMEOUT_S  # functions-framework has no option for it
    # What gunicorn cannot parse it would answer in HTML.
    gunicorn.util.write_error = lambda connection, *error: gunicorn.util.write_nonblock(
        connection, problem_json.http_response(*error)
    )
    malloc.use_single_arena()
    gc.disable()  # what is imported stays, so that each collection would walk more objects in vain
    try:
        settings = Settings.from_env()
        return settings, ModelLoader(settings)
    except (errors.SilhouetteError, ValueError) as error:
        cloud_logging.write("CRITICAL", f"cannot start: {error}")
        sys.exit(f"silhouette cannot start: {error}")
    finally:
        gc.freeze()  # no later collection walks them either, nor copies the pages that gunicorn's processes share
        gc.enable()


settings, loader = start()
buckets = events.BucketConfig(settings.photo_buckets, settings.mask_bucket)
first_mask_made = threading.Lock()  # an atomic flag: locked for good by the first mask of this instance


@functions_framework.http
def run(request: flask.Request) -> flask.Response:
    """Answer a request: the entry point of the function.

    Args:
        request: Any request; docs/http-api.md documents the routes.

    Raises:
        SilhouetteError: If the request fails; `handle_silhouette_error` makes it a response.
        HTTPException: If there is no such route; `handle_http_error` makes it a response.
    """
    flask.g.start_time, flask.g.log_fields = time.perf_counter(), {}
    flask.after_this_request(finish_response)
    allowed_methods = sorted(method for path, method in ROUTES if path == request.path)
    if not allowed_methods:
        raise NotFound(f"there is nothing at {request.path[:80]}")
    if request.method == "OPTIONS":
        return flask.Response(status=204, headers=base_headers() | {"Allow": ", ".join(allowed_methods)})
    handler = ROUTES.get((request.path, "GET" if request.method == "HEAD" else request.method))
    if handler is None:
        raise MethodNotAllowed(allowed_methods)
    return handler(request)


def segment(request: flask.Request) -> flask.Response:
    """Answer a photo with its mask or another output, or a storage event with its outcome."""
    segmenter = require_model(request)
    is_event = buckets.mask_bucket and events.is_event(request.headers.get("ce-type"), request.mimetype)
    limit_bytes = events.MAX_EVENT_BYTES if is_event else settings.max_upload_bytes
    body = request_body.read_body(request, limit_bytes, settings.request_timeout_s)
    if is_event or (buckets.mask_bucket and events.is_pubsub_message(request.mimetype, body)):
        return handle_storage_event(request, body, segmenter)
    content = upload.parse(body, request.mimetype, request.mimetype_params)
    values = request_options.option_values(request.args.items(multi=True), content.options, request.accept_mimetypes)
    options = Options.parse(values, segmenter.card)
    result = segmenter.segment(content.photo, options)
    response_size.check(len(result.body), settings.max_response_bytes, options)
    response = flask.Response(result.body, content_type=result.content_type, headers=base_headers())
    width, height = result.photo_wh
    return add_timings(response, result.stages_ms, photo={"width": width, "height": height})


def handle_storage_event(request: flask.Request, body: bytes, segmenter: Segmenter) -> flask.Response:
    """Answer a storage event after writing the mask of its photo to MASK_BUCKET.

    Eventarc posts it as a CloudEvent; a bucket's own notification is pushed by Pub/Sub.

    204 means that the event is done with, including events that lead to no mask. Pub/Sub delivers the event again
    after any other status; 503 asks for that. Who may post events is controlled by the platform: the function is
    private, and the service account of Eventarc or Pub/Sub may call it.
    """
    from model.serving import event_handler  # imports the segmenter's modules, so not before the model is loaded

    event = events.parse(request.headers.get("ce-type"), request.mimetype, body)
    result = event_handler.handle_event(event, segmenter, buckets, settings.max_upload_bytes)
    outcome = f"{result.outcome}; code={result.code}" if result.code else result.outcome
    response = flask.Response(status=204, headers=base_headers() | {"X-Outcome": outcome})
    return add_timings(response, result.stages_ms, outcome=outcome)


def predict(request: flask.Request) -> flask.Response:
    """Answer a photo with the raw output tensor as nested lists, as clients of the original article expect it."""
    segmenter = require_model(request)
    body = request_body.read_body(request, settings.max_upload_bytes, settings.request_timeout_s)
    photo = upload.parse(body, request.mimetype, request.mimetype_params).photo
    response = json_response({"result": segmenter.raw_output(photo).tolist()})
    response_size.check(response.calculate_content_length() or 0, settings.max_response_bytes)
    return response


def describe(_: flask.Request) -> flask.Response:
    """Answer with a description of the model, the options, the limits and the names of masks."""
    from model.image import decode  # imported with the model

    description = {
        **loader.segmenter().describe(),
        "options": OPTION_NAMES,
        "limits": {
            "upload_bytes": settings.max_upload_bytes,
            "response_bytes": settings.max_response_bytes,
            "pixels": settings.max_pixels,
            "pixels_by_format": decode.pixel_limits(settings.max_pixels),
        },
        "events": events.name_templates(buckets) if buckets.mask_bucket else None,
    }
    return json_response(description, indent=2)


def health(_: flask.Request) -> flask.Response:
    """Answer that the model is loaded, and whether this instance has made a mask yet."""
    loader.segmenter()
    return json_response({"status": "ok", "mask_made": first_mask_made.locked()})


def home(request: flask.Request) -> flask.Response:
    """Answer a browser with the page, and any other client with the description of the model."""
    media_type = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return page(request) if media_type == "text/html" else describe(request)


def static_file(name: str, content_type: str) -> Handler:
    """Return the handler of a file in client/web, which is read once."""
    body = (WEB / name).read_bytes()
    headers = {"Cache-Control": "no-cache"}
    if content_type.startswith("text/html"):
        headers["Content-Security-Policy"] = http_headers.page_policy(body)
    return lambda _: flask.Response(body, content_type=content_type, headers=base_headers() | headers)


page = static_file("index.html", "text/html; charset=utf-8")

ROUTES: dict[tuple[str, str], Handler] = {
    ("/", "POST"): segment,
    ("/predict", "POST"): predict,
    ("/", "GET"): home,
    ("/health", "GET"): health,
    ("/openapi.json", "GET"): static_file("openapi.json", "application/json"),
    ("/sample.jpg", "GET"): static_file("sample.jpg", "image/jpeg"),
}


def require_model(request: flask.Request) -> Segmenter:
    """Return the model; if there is none, read the request's body, so that the error response can be sent.

    Raises:
        ModelNotFound: If the model is not loaded yet.
        ModelRejected: If it cannot be served.
    """
    try:
        return loader.segmenter()
    except errors.ModelError:
        request_body.drain_body(request, settings.request_timeout_s)
        raise


def json_response(content: Any, status: int = 200, indent: int | None = None) -> flask.Response:
    """Return a response of JSON."""
    body = json.dumps(content, indent=indent)
    return flask.Response(body, status, content_type="application/json", headers=base_headers())


def base_headers() -> dict[str, str]:
    """Return the headers of every response: the security headers and, once it is loaded, the model."""
    headers = http_headers.SECURITY_HEADERS | {"Vary": "Accept"}
    if segmenter := loader.loaded:
        card = segmenter.card
        headers["X-Model"] = f"{card.name}/{card.version}; sha256={segmenter.sha256[:12]}"
    return headers


def add_timings(response: flask.Response, stages_ms: dict[str, float], **log_fields: Any) -> flask.Response:
    """Record the duration of each stage and other fields for the log, and mark the first mask of this instance."""
    stages_ms = {stage: round(ms, 2) for stage, ms in stages_ms.items()}
    flask.g.log_fields |= {**log_fields, "stages_ms": stages_ms}
    if "infer" in stages_ms and first_mask_made.acquire(blocking=False):
        response.headers["X-Cold-Start"] = "1"
    return response


def finish_response(response: flask.Response) -> flask.Response:
    """Add the headers that depend on the request and its duration, and write the request's log line."""
    request, log_fields = flask.request, flask.g.log_fields
    if settings.allowed_origins:
        response.vary.add("Origin")
    origin, requested = (request.headers.get(name, "") for name in ("Origin", "Access-Control-Request-Headers"))
    response.headers.update(http_headers.cors_headers(request.method, origin, settings.allowed_origins, requested))
    latency_ms = (time.perf_counter() - flask.g.start_time) * 1000
    stages_ms = log_fields.get("stages_ms") or {"total": round(latency_ms, 2)}
    response.headers["Server-Timing"] = ", ".join(f"{stage};dur={ms}" for stage, ms in stages_ms.items())
    if "X-Model" in response.headers:
        log_fields["model"] = response.headers["X-Model"]
    sizes = request.content_length or 0, response.calculate_content_length() or 0
    cloud_logging.write_request(
        request.method, request.path[:200], response.status_code, sizes, latency_ms, trace_fields(request), **log_fields
    )
    return response


@functions_framework.errorhandler(errors.SilhouetteError)
def handle_silhouette_error(error: errors.SilhouetteError) -> flask.Response:
    """Answer an error of model.errors with the status in STATUS."""
    error_class, status = next((cls, status) for cls, status in STATUS.items() if isinstance(error, cls))
    if status == 500:
        log_error(error)
    return problem(status, errors.code_of(error_class.__name__), str(error))


@functions_framework.errorhandler(HTTPException)
def handle_http_error(error: HTTPException) -> flask.Response:
    """Answer an HTTP error that Flask, or a route, raised."""
    response = problem(error.code or 500, errors.code_of(type(error).__name__), error.description or "")
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    if error.code == 415:
        response.headers["Accept-Encoding"] = "gzip"  # RFC 9110, section 15.5.16
    return response


@functions_framework.errorhandler(MemoryError)
def handle_memory_error(_: MemoryError) -> flask.Response:
    """Answer a request that there is not enough memory for now."""
    return problem(503, "busy", "not enough memory for this request now; retry in a moment")


@functions_framework.errorhandler(Exception)
def handle_unexpected_error(error: Exception) -> flask.Response:
    """Answer an unexpected error without any internals; these go to the log only."""
    log_error(error)
    return problem(500, "internal-error", "internal error; the photo is not the cause")


def problem(status: int, code: str, detail: str) -> flask.Response:
    """Return a problem response (RFC 9457)."""
    title = HTTP_STATUS_CODES.get(status, "Error")
    flask.g.setdefault("log_fields", {})["code"] = code  # functions-framework refuses favicon.ico before `run`
    body = problem_json.body(status, title, code, detail)
    headers = base_headers() | ({"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {})
    return flask.Response(body, status, content_type=problem_json.CONTENT_TYPE, headers=headers)


def log_error(error: Exception) -> None:
    """Write an internal error into the log; the caller does not see it."""
    request, service = flask.request, (settings.k_service, settings.k_revision)
    cloud_logging.write_error(error, request.method, request.path[:200], service, trace_fields(request))


def trace_fields(request: flask.Request) -> dict[str, str]:
    """Return the fields of a log line that link it to the request's trace."""
    cloud_context = request.headers.get("X-Cloud-Trace-Context", "")
    traceparent = request.headers.get("traceparent", "")
    return cloud_logging.trace_fields(cloud_context, traceparent, settings.google_cloud_project)
