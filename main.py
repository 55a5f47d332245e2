"""HTTP only: the entry point `run`, the routes, and the one table from errors to statuses."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask
import functions_framework
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.formparser import FormDataParser
from werkzeug.http import HTTP_STATUS_CODES

from model import errors, loading
from model.options import NAMES, Options
from model.settings import Settings

if TYPE_CHECKING:
    from model.segmenter import Segmenter

STATUS: dict[type[errors.SilhouetteError], int] = {
    errors.EmptyBody: 400,
    errors.BadOption: 400,
    errors.NotAPhoto: 415,
    errors.BrokenPhoto: 422,
    errors.PhotoTooLarge: 413,
    errors.ModelNotFound: 503,
    errors.ModelRejected: 500,
    errors.InferenceFailed: 500,
    errors.Busy: 503,
}
RETRY_AFTER_S = 2
PHOTO_FIELDS = ("file", "image")
CHUNK_BYTES = 1 << 20
WEB = Path(__file__).parent / "client" / "web"
CORS = {"Access-Control-Expose-Headers": "Retry-After, Server-Timing, X-Cold-Start, X-Model"}
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "3600",
}

try:
    settings = Settings.from_env()
    loader = loading.Loader(settings)
except (errors.SilhouetteError, ValueError) as error:
    loading.log("CRITICAL", f"cannot start: {error}")
    sys.exit(f"silhouette cannot start: {error}")
cold = threading.Lock()  # taken for good by the first mask of this instance


@functions_framework.http
def run(request: flask.Request) -> flask.Response:
    """Answer every request of the function: the routes are the contract of README.md.

    raises: SilhouetteError, HTTPException; both become problem+json
    """
    flask.after_this_request(share)
    method = "GET" if request.method == "HEAD" else request.method
    if request.path not in {path for path, _ in ROUTES}:
        raise NotFound(f"there is nothing at {request.path[:80]}")
    allowed = sorted(verb for path, verb in ROUTES if path == request.path)
    if method == "OPTIONS":
        return flask.Response(status=204, headers=identity() | {"Allow": ", ".join(allowed)})
    answer = ROUTES.get((request.path, method))
    if answer is None:
        raise MethodNotAllowed(allowed)
    return answer(request)


def segment(request: flask.Request) -> flask.Response:
    """Turn the uploaded photo into a mask, or what else `output` asks for."""
    segmenter = model_for(request)
    options = Options.parse(request.args, segmenter.card)
    answer = segmenter.segment(uploaded(request), options)
    response = flask.Response(answer.body, content_type=answer.content_type, headers=identity())
    response.headers["Server-Timing"] = ", ".join(f"{stage};dur={ms:.2f}" for stage, ms in answer.stages_ms.items())
    if cold.acquire(blocking=False):
        response.headers["X-Cold-Start"] = "1"
    return response


def predict(request: flask.Request) -> flask.Response:
    """Give the raw output tensor as nested lists, as the older recipe's clients expect it."""
    segmenter = model_for(request)
    body = json.dumps({"result": segmenter.raw(uploaded(request)).tolist()})
    return flask.Response(body, content_type="application/json", headers=identity())


def describe(request: flask.Request) -> flask.Response:
    """Say what the model is, what it takes and what it gives."""
    about = {
        **loader.segmenter().about(),
        "options": NAMES,
        "limits": {"upload_bytes": settings.max_upload_bytes, "pixels": settings.max_pixels},
    }
    return flask.Response(json.dumps(about, indent=2), content_type="application/json", headers=identity())


def health(request: flask.Request) -> flask.Response:
    """Say whether this instance has made a mask yet."""
    loader.segmenter()
    body = json.dumps({"status": "ok" if cold.locked() else "no mask made yet"})
    return flask.Response(body, 200 if cold.locked() else 503, content_type="application/json", headers=identity())


def home(request: flask.Request) -> flask.Response:
    """Give a browser the page, and anyone else what the model is."""
    wanted = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return page(request) if wanted == "text/html" else describe(request)


def static(name: str, content_type: str) -> Callable[[flask.Request], flask.Response]:
    """Make the route of a file of client/web, which is read once."""
    body = (WEB / name).read_bytes()
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    if content_type.startswith("text/html"):
        headers |= {"Content-Security-Policy": policy(body), "Referrer-Policy": "no-referrer"}
    return lambda _: flask.Response(body, content_type=content_type, headers=identity() | headers)


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


def identity() -> dict[str, str]:
    """Name the model, in the headers that every answer carries; before it is here, there is none to name."""
    segmenter = loader.ready()
    if segmenter is None:
        return {"Vary": "Accept"}
    card = segmenter.card
    return {"X-Model": f"{card.name}/{card.version}; sha256={segmenter.sha256[:12]}", "Vary": "Accept"}


def model_for(request: flask.Request) -> Segmenter:
    """Give the model; where there is none, read the body all the same, so that the answer can be sent.

    raises: ModelNotFound, ModelRejected
    """
    try:
        return loader.segmenter()
    except errors.ModelError:
        while request.stream.read(CHUNK_BYTES):
            pass
        raise


def share(response: flask.Response) -> flask.Response:
    """Let the pages of ALLOWED_ORIGINS read an answer."""
    origin = flask.request.headers.get("Origin", "")
    if settings.allowed_origins:
        response.vary.add("Origin")
    if origin and {"*", origin} & {*settings.allowed_origins}:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers.update(PREFLIGHT if flask.request.method == "OPTIONS" else CORS)
    return response


def uploaded(request: flask.Request) -> bytes:
    """Take the photo out of a request, in memory alone.

    returns: the body, or of multipart/form-data the field `file` or `image`
    raises: EmptyBody, PhotoTooLarge
    """
    body = whole_body(request, settings.max_upload_bytes)
    if request.mimetype != "multipart/form-data":
        return body
    parser = FormDataParser(stream_factory=lambda *_, **__: io.BytesIO())
    _, form, files = parser.parse(io.BytesIO(body), request.mimetype, len(body), request.mimetype_params)
    for name in PHOTO_FIELDS:
        if name in files:
            return bytes(files[name].read())
    found = ", ".join(repr(name[:40]) for name in [*form, *files]) or "none"
    raise errors.EmptyBody(f"the form needs a file in the field {' or '.join(PHOTO_FIELDS)}; its fields: {found}")


def whole_body(request: flask.Request, limit_bytes: int) -> bytes:
    """Read the body up to a limit; beyond it, read on and keep nothing, so that the answer can be sent.

    raises: PhotoTooLarge
    """
    kept, count = [], 0
    while chunk := request.stream.read(CHUNK_BYTES):
        count += len(chunk)
        if count <= limit_bytes:
            kept.append(chunk)
        else:
            kept.clear()
    if count > limit_bytes:
        raise errors.PhotoTooLarge(f"the upload has {count} bytes; the limit is {limit_bytes}")
    return b"".join(kept)


@functions_framework.errorhandler(errors.SilhouetteError)
def own_error(error: errors.SilhouetteError) -> flask.Response:
    """Answer an error of the tree by the table."""
    status = STATUS[type(error)]
    if status == 500:
        log_error(error)
    response = problem(status, code_of(type(error).__name__), str(error))
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


@functions_framework.errorhandler(HTTPException)
def http_error(error: HTTPException) -> flask.Response:
    """Answer what Flask or a route says in HTTP's own terms."""
    response = problem(error.code or 500, code_of(type(error).__name__), error.description or "")
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
    body: dict[str, Any] = {"type": f"urn:silhouette:{code}", "title": title, "status": status}
    text = json.dumps({**body, "detail": detail, "code": code})
    return flask.Response(text, status, content_type="application/problem+json", headers=identity())


def code_of(name: str) -> str:
    """Turn a class's name into a code: NotAPhoto into not-a-photo."""
    return "".join("-" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("-")


def log_error(error: Exception) -> None:
    """Write one line as Cloud Logging and Error Reporting read it."""
    trace = "".join(traceback.format_exception(error))
    print(json.dumps({"severity": "ERROR", "message": trace}), file=sys.stderr, flush=True)
