"""The asyncio client: the same methods as Client, as coroutines."""

from __future__ import annotations

import asyncio
import logging
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


class AsyncClient:
    """A client of one function for asyncio. Tasks of one event loop may share it.

    Whatever would block the event loop (reading files, decoding, fetching tokens) runs in a thread. Each method raises
    the exceptions of the method of Client with the same name.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        auth: AuthMode = "auto",
        audience: str | None = None,
        deadline_s: float = DEFAULT_DEADLINE_S,
        stop: asyncio.Event | None = None,
    ) -> None:
        """Create a client; nothing is sent yet.

        Args:
            url: As for Client.
            auth: As for Client.
            audience: As for Client.
            deadline_s: As for Client.
            stop: Set it to end the pauses between retries with Stopped.

        Raises:
            ValueError: If the URL is invalid.
            EnvironmentVariableError: If a variable for proxies or certificates has a value that cannot be used.
        """
        self._url, credentials = split_credentials(parse_url(url))
        self._tokens = TokenCache(auth, self._url, audience)
        self._deadline_s = deadline_s
        self._stop = stop or asyncio.Event()
        self._limits: Limits | None = None  # known once the server has refused a photo as too large
        self._http = create_http_client(httpx.AsyncClient, self._url, credentials)

    async def segment(
        self, photo: PhotoInput, *, threshold: float | None = None, class_name: str | None = None
    ) -> Mask:
        """Return the mask of a photo; see Client.segment."""
        result = await self.request_output(photo, threshold=threshold, class_name=class_name)
        return Mask(result.body, result)

    async def request_output(
        self,
        photo: PhotoInput,
        *,
        output: Output = "mask",
        threshold: float | None = None,
        class_name: str | None = None,
        size: OutputSize | None = None,
        format: OutputFormat | None = None,
    ) -> SegmentResult:
        """Return any output of the function for a photo, as bytes; see Client.request_output."""
        options = SegmentOptions(output, threshold, class_name, size, format)
        data = await asyncio.to_thread(read_photo, photo)
        upload = await asyncio.to_thread(prepare_upload, data, self._limits)
        exchange = await self._send(photo_request(upload, options))
        if is_too_large(exchange) and upload.photo_wh is None:
            self._limits = await self._read_limits()
            upload = await asyncio.to_thread(prepare_upload, data, self._limits)
            if upload.photo_wh is not None:
                exchange = await self._send(photo_request(upload, options))
        return await asyncio.to_thread(restore_size, parse_result(exchange, options), upload, options, data)

    async def model(self) -> dict[str, Any]:
        """Return the function's description of its model; see Client.model."""
        return parse_model(await self._send(model_request()))

    async def deliver(self, event: dict[str, Any]) -> EventReceipt:
        """Deliver a storage event; see Client.deliver."""
        return parse_receipt(await self._send(event_request(event)))

    async def _read_limits(self) -> Limits:
        """Return the limits that the function states; those of the platform if it does not describe itself."""
        try:
            return parse_limits(await self.model())
        except (BadResponse, ServerError):
            return Limits()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _send(self, spec: RequestSpec) -> Exchange:
        """Send a request, with retries."""
        steps = retry_steps(str(self._url.copy_with(query=None)), self._deadline_s)
        # Fetching a token may block on the network or on gcloud.
        token = await asyncio.to_thread(self._tokens.token)
        reply: Reply = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                exchange: Exchange = end.value
                return exchange
            if isinstance(step, RenewToken):
                reply = await asyncio.to_thread(self._tokens.renew, token)
                token = await asyncio.to_thread(self._tokens.token)
            elif isinstance(step, Pause):
                await self._wait(step)
                reply = None
            else:
                reply = await self._try(spec, step, token)

    async def _try(
        self, spec: RequestSpec, step: SendRequest, token: str | None
    ) -> httpx.Response | httpx.RequestError:
        try:
            return await self._http.send(spec.build(self._http, self._url, step.timeout_s, token))
        except httpx.RequestError as error:
            return error

    async def _wait(self, pause: Pause) -> None:
        log.info("%s; retrying in %.1f s", pause.reason, pause.duration_s)
        try:
            await asyncio.wait_for(self._stop.wait(), pause.duration_s)
        except TimeoutError:
            return
        raise Stopped("stopped while waiting to retry")
