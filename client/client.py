"""The synchronous client; threads may share one."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Any

import httpx

from .errors import BadResponse, ServerError, Stopped
from .http_client import create_http_client
from .mask import Mask
from .options import Output, OutputFormat, OutputSize, SegmentOptions
from .photo import PhotoInput, read_photo
from .request import RequestSpec, model_request, photo_request
from .response import parse_model
from .result import SegmentResult, parse_result
from .retry import DEFAULT_DEADLINE_S, Exchange, Pause, RenewToken, Reply, SendRequest, retry_steps
from .storage_event import EventReceipt, event_request, parse_receipt
from .tokens import AuthMode, TokenCache
from .upload import Limits, is_too_large, parse_limits, prepare_upload, restore_size
from .url import DEFAULT_URL, parse_url, split_credentials

log = logging.getLogger("silhouette")


class Client:
    """A client of one function. Threads may share it.

    Transient errors are retried until the deadline. A context manager closes the connections.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        auth: AuthMode = "auto",
        audience: str | None = None,
        deadline_s: float = DEFAULT_DEADLINE_S,
        stop: threading.Event | None = None,
    ) -> None:
        """Create a client; nothing is sent yet.

        Args:
            url: URL of the function, with http:// or https://.
            auth: Source of identity tokens: "none"; "gcloud"; "adc" for Application Default Credentials; "auto" for
                either, but only once the function has required a token.
            audience: Audience of the tokens, if it is not the URL (for a custom domain).
            deadline_s: Time for one request with all its retries, in seconds.
            stop: Set it to end the pauses between retries with Stopped.

        Raises:
            ValueError: If the URL is invalid.
            EnvironmentVariableError: If a variable for proxies or certificates has a value that cannot be used.
        """
        self._url, credentials = split_credentials(parse_url(url))
        self._tokens = TokenCache(auth, self._url, audience)
        self._deadline_s = deadline_s
        self._stop = stop or threading.Event()
        self._limits: Limits | None = None  # known once the server has refused a photo as too large
        self._http = create_http_client(httpx.Client, self._url, credentials)

    def segment(self, photo: PhotoInput, *, threshold: float | None = None, class_name: str | None = None) -> Mask:
        """Return the mask of a photo, at the photo's own upright size.

        Args:
            photo: A path, the bytes of an image file, a Pillow image, or a uint8 array (H, W), (H, W, 3) RGB or
                (H, W, 4) RGBA.
            threshold: Score from which a pixel belongs to the object, above 0 and at most 1; None for the model's own.
            class_name: Return the mask of this class alone; for models with several classes.

        Returns:
            The mask.

        Raises:
            PhotoError: If the photo cannot be read.
            ServerError: If the server rejects the request; NotAllowed for 401 and 403.
            Unreachable: If no response arrives before the deadline.
            BadResponse: If the response does not follow the HTTP API.
            AuthError: If no identity token could be obtained from the source that `auth` names.
            Stopped: If `stop` is set while the client waits to retry.
        """
        result = self.request_output(photo, threshold=threshold, class_name=class_name)
        return Mask(result.body, result)

    def request_output(
        self,
        photo: PhotoInput,
        *,
        output: Output = "mask",
        threshold: float | None = None,
        class_name: str | None = None,
        size: OutputSize | None = None,
        format: OutputFormat | None = None,
    ) -> SegmentResult:
        """Return any output of the function for a photo, as bytes.

        Args:
            photo: As for segment.
            output: "mask", "probability", "overlay", "cutout" or "json".
            threshold: As for segment.
            class_name: As for segment.
            size: "photo" for the photo's own size, "model" for the model's output size; None for the photo's.
            format: "png", "webp" or "jpeg" for an overlay or a cutout; None for PNG. WebP and JPEG are smaller, which a
                large photo may need; a cutout as JPEG is on white.

        Returns:
            The result, with the response body.

        Raises:
            ClientError: As for segment.
        """
        options = SegmentOptions(output, threshold, class_name, size, format)
        data = read_photo(photo)
        upload = prepare_upload(data, self._limits)
        exchange = self._send(photo_request(upload, options))
        if is_too_large(exchange) and upload.photo_wh is None:
            self._limits = self._read_limits()
            upload = prepare_upload(data, self._limits)
            if upload.photo_wh is not None:
                exchange = self._send(photo_request(upload, options))
        return restore_size(parse_result(exchange, options), upload, options, data)

    def model(self) -> dict[str, Any]:
        """Return the function's description of its model: the JSON of `GET /`.

        Raises:
            ServerError: If the server rejects the request; NotAllowed for 401 and 403.
            Unreachable: If no response arrives before the deadline.
            BadResponse: If the response is not a JSON object.
            AuthError: If no identity token could be obtained from the source that `auth` names.
            Stopped: If `stop` is set while the client waits to retry.
        """
        return parse_model(self._send(model_request()))

    def deliver(self, event: dict[str, Any]) -> EventReceipt:
        """Deliver a storage event, which makes the function write the mask of a photo in a bucket.

        Args:
            event: The CloudEvent, as finalized_event returns it.

        Returns:
            The receipt.

        Raises:
            ServerError: If the photo will never have a mask, or the server rejects the request.
            NotAllowed: If the function accepts no photos from the bucket, or for 401 and 403.
            Unreachable: If no response arrives before the deadline.
            BadResponse: If the response does not state the outcome of the event.
            AuthError: If no identity token could be obtained from the source that `auth` names.
            Stopped: If `stop` is set while the client waits to retry.
        """
        return parse_receipt(self._send(event_request(event)))

    def _read_limits(self) -> Limits:
        """Return the limits that the function states; those of the platform if it does not describe itself."""
        try:
            return parse_limits(self.model())
        except (BadResponse, ServerError):
            return Limits()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, spec: RequestSpec) -> Exchange:
        """Send a request, with retries."""
        steps = retry_steps(str(self._url.copy_with(query=None)), self._deadline_s)
        token = self._tokens.token()
        reply: Reply = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                exchange: Exchange = end.value
                return exchange
            if isinstance(step, RenewToken):
                reply = self._tokens.renew(token)
                token = self._tokens.token()
            elif isinstance(step, Pause):
                self._wait(step)
                reply = None
            else:
                reply = self._try(spec, step, token)

    def _try(self, spec: RequestSpec, step: SendRequest, token: str | None) -> httpx.Response | httpx.RequestError:
        try:
            return self._http.send(spec.build(self._http, self._url, step.timeout_s, token))
        except httpx.RequestError as error:
            return error

    def _wait(self, pause: Pause) -> None:
        log.info("%s; retrying in %.1f s", pause.reason, pause.duration_s)
        if self._stop.wait(pause.duration_s):
            raise Stopped("stopped while waiting to retry")
