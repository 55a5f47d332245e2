"""HTTP only: the entry point `run`, the routes, and the one table from errors to statuses."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask
import functions_framework
import gunicorn.config
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.http import HTTP_STATUS_CODES

from model import errors
from model.gcs import events
from model.options import NAMES, Options
from model.serving import cloud_logging, malloc, model_loader, request_body
from model.serving.settings import Settings

if TYPE_CHECKING:
    from model.segmenter import Segmenter

STATUS: dict[type[errors.SilhouetteError], int] = {
    errors.EmptyBody: 400,
    errors.BadOption: 400,
    errors.NotAPhoto: 415,
    errors.BrokenPhoto: 422,
    errors.PhotoTooLarge: 413,
    errors.UploadTooSlow: 408,
    errors.ModelNotFound: 503,
    errors.ModelRejected: 500,
    errors.InferenceFailed: 500,
    errors.Busy: 503,
    errors.BadEvent: 400,
    errors.StorageFailed: 503,
}
RETRY_AFTER_S = 2
STOP_LIMIT_S = 7  # for requests under way when the function is told to stop: after 10 the cloud kills it
WEB = Path(__file__).parent / "client" / "web"
GUARDS = {  # what browsers are told of every answer
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
CORS = {"Access-Control-Expose-Headers": "Retry-After, Server-Timing, X-Cold-Start, X-Model"}
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "3600",
}

gunicorn.config.GracefulTimeout.default = STOP_LIMIT_S  # functions-framework passes no such setting on
malloc.share()
try:
    settings = Settings.from_env()
    loader = model_loader.Loader(settings)
except (errors.SilhouetteError, ValueError) as error:
    cloud_logging.write("CRITICAL", f"cannot start: {error}")
    sys.exit(f"silhouette cannot start: {error}")
cold = threading.Lock()  # taken for good by the first mask of this instance


@functions_framework.http
def run(request: flask.Request) -> flask.Response:
    """Answer every request of the function: the routes are the contract of README.md.

    raises: SilhouetteError, HTTPException; both become problem+json
    """
    flask.g.began, flask.g.about = time.perf_counter(), {}
    flask.after_this_request(finish)
    method = "GET" if request.method == "HEAD" else request.method
    if request.path not in {path for path, _ in ROUTES}:
        raise NotFound(f"there is nothing at {request.path[:80]}")
    allowed = sorted(verb for path, verb in ROUTES if path == request.path)
    if method == "OPTIONS":
        return flask.Response(status=204, headers=common() | {"Allow": ", ".join(allowed)})
    answer = ROUTES.get((request.path, method))
    if answer is None:
        raise MethodNotAllowed(allowed)
    return answer(request)


def segment(request: flask.Request) -> flask.Response:
    """Turn the uploaded photo into a mask, or what else `output` asks for."""
    if settings.mask_bucket and events.is_event(headers := small_headers(request)):
        return deliver(request, headers)
    segmenter = model_for(request)
    options = Options.parse(request.args, segmenter.card)
    photo = request_body.photo(request, settings.max_upload_bytes, settings.request_timeout_s)
    answer = segmenter.segment(photo, options)
    response = flask.Response(answer.body, content_type=answer.content_type, headers=common())
    width, height = answer.photo_wh
    return timed(response, answer.stages_ms, photo={"width": width, "height": height})


def deliver(request: flask.Request, headers: dict[str, str]) -> flask.Response:
    """Take a storage event, as Eventarc posts it: the mask of its photo goes to MASK_BUCKET.

    headers: by names in small letters
    204 means that all is done that will ever be: a mask or a note is there, the photo is gone, or its event is refused,
    as those of other buckets are; any other status and Pub/Sub would deliver it again for days. 503 asks for just
    that. Who may post here is the platform's concern: the function is private, and Eventarc's account may call it.
    raises: BadEvent, PhotoTooLarge, ModelNotFound, InferenceFailed, Busy, StorageFailed
    """
    segmenter = model_for(request)
    from model.gcs import mask_store  # it imports what the model has imported by now

    event = events.read(headers, request_body.body(request, events.LONGEST_BYTES, settings.request_timeout_s))
    done = mask_store.take(event, segmenter, settings)
    outcome = f"{done.outcome}; code={done.code}" if done.code else done.outcome
    response = flask.Response(status=204, headers=common() | {"X-Outcome": outcome})
    return timed(response, done.stages_ms, outcome=outcome)


def timed(response: flask.Response, stages_ms: dict[str, float], **about: Any) -> flask.Response:
    """Note how long each stage took, and say whether the mask is the first of this instance.

    about: what else the log line of the request is to say
    """
    flask.g.about |= {**about, "stages_ms": {stage: round(ms, 2) for stage, ms in stages_ms.items()}}
    if "infer" in stages_ms and cold.acquire(blocking=False):
        response.headers["X-Cold-Start"] = "1"
    return response


def small_headers(request: flask.Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def predict(request: flask.Request) -> flask.Response:
    """Give the raw output tensor as nested lists, as the older recipe's clients expect it."""
    segmenter = model_for(request)
    photo = request_body.photo(request, settings.max_upload_bytes, settings.request_timeout_s)
    body = json.dumps({"result": segmenter.raw(photo).tolist()})
    return flask.Response(body, content_type="application/json", headers=common())


def describe(request: flask.Request) -> flask.Response:
    """Say what the model is, what it takes and what it gives."""
    about = {
        **loader.segmenter().about(),
        "options": NAMES,
        "limits": {"upload_bytes": settings.max_upload_bytes, "pixels": settings.max_pixels},
        "events": events.places(settings) if settings.mask_bucket else None,
    }
    return flask.Response(json.dumps(about, indent=2), content_type="application/json", headers=common())


def health(request: flask.Request) -> flask.Response:
    """Say whether this instance has made a mask yet."""
    loader.segmenter()
    body = json.dumps({"status": "ok" if cold.locked() else "no mask made yet"})
    return flask.Response(body, 200 if cold.locked() else 503, content_type="application/json", headers=common())


def home(request: flask.Request) -> flask.Response:
    """Give a browser the page, and anyone else what the model is."""
    wanted = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return page(request) if wanted == "text/html" else describe(request)


def static(name: str, content_type: str) -> Callable[[flask.Request], flask.Response]:
    """Make the route of a file of client/web, which is read once."""
    body = (WEB / name).read_bytes()
    headers = {"Cache-Control": "no-cache"}
    if content_type.startswith("text/html"):
        headers["Content-Security-Policy"] = policy(body)
    return lambda _: flask.Response(body, content_type=content_type, headers=common() | headers)


def policy(html: bytes) -> str:
    """Allow a page its own inline script and style, by their hashes, its own server, and nothing else."""
    sources = ["default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]
    for tag in ("script", "style"):
        for inline in re.findall(f"<{tag}>(.*?)</{tag}>".encode(), html, re.DOTALL):
            sources.append(f"{tag}-src 'sha256-{base64.b64encode(hashlib.sha256(inline).digest()).decode()}'")
    return "; ".join([*sources, "img-src 'self' blob: data:", "connect-src 'self'"])


page = static("index.html", "text/html; charset=utf-8")
ROUTES: dict[tuple[str, str], Callable[[flask.Request], flask.Response]] = {
    ("/", "POST"): segment,
    ("/predict", "POST"): predict,
    ("/", "GET"): home,
    ("/health", "GET"): health,
    ("/openapi.json", "GET"): static("openapi.json", "application/json"),
    ("/sample.jpg", "GET"): static("sample.jpg", "image/jpeg"),
}


def common() -> dict[str, str]:
    """Give the headers that every answer carries: guards, and the model's name; before it is here, there is none."""
    segmenter = loader.ready()
    headers = GUARDS | {"Vary": "Accept"}
    if segmenter is None:
        return headers
    card = segmenter.card
    return headers | {"X-Model": f"{card.name}/{card.version}; sha256={segmenter.sha256[:12]}"}


def model_for(request: flask.Request) -> Segmenter:
    """Give the model; where there is none, read the body all the same, so that the answer can be sent.

    raises: ModelNotFound, ModelRejected
    """
    try:
        return loader.segmenter()
    except errors.ModelError:
        request_body.pass_over(request, settings.request_timeout_s)
        raise


def finish(response: flask.Response) -> flask.Response:
    """Put on an answer what every answer carries, and write its line into the log."""
    request, about = flask.request, flask.g.about
    share(request, response)
    took_ms = (time.perf_counter() - flask.g.began) * 1000
    stages = about.get("stages_ms") or {"total": round(took_ms, 2)}
    response.headers["Server-Timing"] = ", ".join(f"{stage};dur={ms}" for stage, ms in stages.items())
    if "X-Model" in response.headers:
        about["model"] = response.headers["X-Model"]
    sizes = request.content_length or 0, response.calculate_content_length() or 0
    cloud_logging.request(
        request.method, request.path[:200], response.status_code, sizes, took_ms, trace(request), **about
    )
    return response


def share(request: flask.Request, response: flask.Response) -> None:
    """Let the pages of ALLOWED_ORIGINS read an answer."""
    origin = request.headers.get("Origin", "")
    if settings.allowed_origins:
        response.vary.add("Origin")
    if origin and {"*", origin} & {*settings.allowed_origins}:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers.update(PREFLIGHT if request.method == "OPTIONS" else CORS)


@functions_framework.errorhandler(errors.SilhouetteError)
def own_error(error: errors.SilhouetteError) -> flask.Response:
    """Answer an error of the tree by the table."""
    status = STATUS[type(error)]
    if status == 500:
        log_error(error)
    response = problem(status, errors.code_of(type(error).__name__), str(error))
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


@functions_framework.errorhandler(HTTPException)
def http_error(error: HTTPException) -> flask.Response:
    """Answer what Flask or a route says in HTTP's own terms."""
    response = problem(error.code or 500, errors.code_of(type(error).__name__), error.description or "")
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


@functions_framework.errorhandler(Exception)
def unforeseen_error(error: Exception) -> flask.Response:
    """Answer what nobody foresaw without a word of the inside; the log has it all."""
    log_error(error)
    return problem(500, "internal-error", "something went wrong here; the photo is not at fault")


def problem(status: int, code: str, detail: str) -> flask.Response:
    """Make an answer of RFC 9457."""
    title = HTTP_STATUS_CODES.get(status, "Error")
    flask.g.setdefault("about", {})["code"] = code  # favicon.ico is refused before it comes to run
    body: dict[str, Any] = {"type": f"urn:silhouette:{code}", "title": title, "status": status}
    text = json.dumps({**body, "detail": detail, "code": code})
    return flask.Response(text, status, content_type="application/problem+json", headers=common())


def log_error(error: Exception) -> None:
    """Write an error of ours into the log; what the caller hears of it is another matter."""
    request = flask.request
    service = settings.k_service, settings.k_revision
    cloud_logging.error(error, request.method, request.path[:200], service, trace(request))


def trace(request: flask.Request) -> dict[str, str]:
    """Tell which trace a request belongs to, as fields of a line."""
    headers = request.headers
    cloud_context, traceparent = headers.get("X-Cloud-Trace-Context", ""), headers.get("traceparent", "")
    return cloud_logging.trace(cloud_context, traceparent, settings.google_cloud_project)
