"""The client for plain code; one may be shared by many threads."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Any

import httpx

from client.errors import Stopped
from client.mask import Mask
from client.options import DEFAULT_URL, Output, Question, Size, is_loopback, read_url
from client.photo import Photo, to_bytes
from client.request import NO_LIMITS, ask_model, ask_photo, build, read_model
from client.result import Answer, read_answer
from client.retry import Exchange, Renew, Reply, Send, Wait, converse
from client.storage_event import ask_event, read_receipt
from client.tokens import Auth, Tokens
from client.upload import pack, unpack

DEADLINE_S = 60.0

log = logging.getLogger("silhouette")


class Client:
    """Ask one function about photos.

    url: of the function, with http:// or https://
    auth: where identity tokens come from: "none", "gcloud", "adc", or "auto", which asks only if the function does
    audience: whom the tokens are for, where that is not the address itself (a domain of your own)
    deadline_s: for one photo, tries and pauses together
    stop: set it to end pauses between tries with Stopped
    raises: ValueError
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        auth: Auth = "auto",
        audience: str | None = None,
        deadline_s: float = DEADLINE_S,
        stop: threading.Event | None = None,
    ) -> None:
        self._address = read_url(url)
        self._tokens = Tokens(auth, self._address, audience)
        self._deadline_s = deadline_s
        self._stop = stop or threading.Event()
        # A proxy from the environment never leads back to this machine.
        self._http = httpx.Client(limits=NO_LIMITS, trust_env=not is_loopback(self._address))

    def segment(self, photo: Photo, *, threshold: float | None = None, class_name: str | None = None) -> Mask:
        """Yield the mask of a photo, at the photo's own size.

        photo: a path, the bytes of a file, a Pillow image, or uint8 (H, W), (H, W, 3) RGB or (H, W, 4) RGBA
        threshold: 0 to 1, how sure the model must be
        class_name: of a model with several, the one to tell from all else
        raises: PhotoError, ServerError, Unreachable, BadAnswer, AuthError, Stopped
        """
        answer = self.ask(photo, threshold=threshold, class_name=class_name)
        return Mask(answer.body, answer)

    def ask(
        self,
        photo: Photo,
        *,
        output: Output = "mask",
        threshold: float | None = None,
        class_name: str | None = None,
        size: Size | None = None,
    ) -> Answer:
        """Yield any output that the function has, as bytes.

        output: "mask", "probability", "overlay", "cutout" or "json"
        size: "photo" or "model"
        raises: as segment
        """
        question = Question(output, threshold, class_name, size)
        data = to_bytes(photo)
        parcel = pack(data)
        return unpack(read_answer(self._exchange(ask_photo(parcel, question)), output), parcel, question, data)

    def model(self) -> dict[str, Any]:
        """Yield what the function says about its model.

        raises: ServerError, Unreachable, BadAnswer, AuthError, Stopped
        """
        return read_model(self._exchange(ask_model()))

    def deliver(self, event: dict[str, Any]) -> Answer:
        """Deliver a storage event, and yield what became of it, with no body.

        event: as client.event.finalized makes it
        raises: ServerError, NotAllowed, Unreachable, BadAnswer, AuthError, Stopped
        """
        return read_receipt(self._exchange(ask_event(event)))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _exchange(self, asked: dict[str, Any]) -> Exchange:
        """Lead one request through its tries."""
        steps = converse(str(self._address.copy_with(query=None)), self._deadline_s)
        token = self._tokens.token()
        reply: Reply = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                exchange: Exchange = end.value
                return exchange
            if isinstance(step, Renew):
                reply = self._tokens.renew(token)
                token = self._tokens.token()
            else:
                reply = self._perform(step, asked, token)

    def _perform(self, step: Send | Wait, asked: dict[str, Any], token: str | None) -> Reply:
        """Send, or wait."""
        if isinstance(step, Wait):
            log.info("%s: trying again in %.1f s", step.why, step.pause_s)
            if self._stop.wait(step.pause_s):
                raise Stopped("stopped while waiting to try again")
            return None
        try:
            return self._http.send(build(self._http, self._address, asked, step, token))
        except httpx.RequestError as error:
            return error
