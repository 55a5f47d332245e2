"""The client for asyncio: as the plain one, with `await`."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Any

import httpx

from client.client import DEADLINE_S
from client.mask import Mask
from client.options import DEFAULT_URL, Output, Question, Size, is_loopback, read_url
from client.photo import Photo, to_bytes
from client.request import NO_LIMITS, ask_model, ask_photo, build, read_model
from client.result import Answer, read_answer
from client.retry import Exchange, Renew, Reply, Send, Wait, converse
from client.tokens import Auth, Tokens
from client.upload import pack, unpack

log = logging.getLogger("silhouette")


class AsyncClient:
    """Ask one function about photos, without blocking the event loop; arguments as for Client.

    raises: ValueError
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        auth: Auth = "auto",
        audience: str | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._address = read_url(url)
        self._tokens = Tokens(auth, self._address, audience)
        self._deadline_s = deadline_s
        # A proxy from the environment never leads back to this machine.
        self._http = httpx.AsyncClient(limits=NO_LIMITS, trust_env=not is_loopback(self._address))

    async def segment(self, photo: Photo, *, threshold: float | None = None, class_name: str | None = None) -> Mask:
        """Yield the mask of a photo, as Client.segment does."""
        answer = await self.ask(photo, threshold=threshold, class_name=class_name)
        return Mask(answer.body, answer)

    async def ask(
        self,
        photo: Photo,
        *,
        output: Output = "mask",
        threshold: float | None = None,
        class_name: str | None = None,
        size: Size | None = None,
    ) -> Answer:
        """Yield any output that the function has, as Client.ask does."""
        question = Question(output, threshold, class_name, size)
        data = await asyncio.to_thread(to_bytes, photo)
        parcel = await asyncio.to_thread(pack, data)
        answer = read_answer(await self._exchange(ask_photo(parcel, question)), output)
        return await asyncio.to_thread(unpack, answer, parcel, question, data)

    async def model(self) -> dict[str, Any]:
        """Yield what the function says about its model, as Client.model does."""
        return read_model(await self._exchange(ask_model()))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def _exchange(self, asked: dict[str, Any]) -> Exchange:
        """Lead one request through its tries."""
        steps = converse(str(self._address.copy_with(query=None)), self._deadline_s)
        # A token may cost a call to the network or to gcloud, which blocks.
        token = await asyncio.to_thread(self._tokens.token)
        reply: Reply = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                exchange: Exchange = end.value
                return exchange
            if isinstance(step, Renew):
                reply = await asyncio.to_thread(self._tokens.renew, token)
                token = await asyncio.to_thread(self._tokens.token)
            else:
                reply = await self._perform(step, asked, token)

    async def _perform(self, step: Send | Wait, asked: dict[str, Any], token: str | None) -> Reply:
        """Send, or wait."""
        if isinstance(step, Wait):
            log.info("%s: trying again in %.1f s", step.why, step.pause_s)
            await asyncio.sleep(step.pause_s)
            return None
        try:
            return await self._http.send(build(self._http, self._address, asked, step, token))
        except httpx.RequestError as error:
            return error
