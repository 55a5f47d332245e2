"""The server's answer, read: the picture and what the headers tell about it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import httpx

from client.errors import BadAnswer, NotAllowed, ServerError
from client.retry import Exchange

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
LONGEST_DETAIL_CHARS = 300


@dataclass(frozen=True)
class Answer:
    """Hold one good answer.

    body: the bytes exactly as they came, or the enlarged PNG where the photo was scaled down to be sent
    size_wh: of the picture in body; None for JSON
    server_timing_ms: what `Server-Timing` said, stage by stage
    round_trip_ms: of the last try alone, from the first byte sent to the last received
    tries: 1 where nothing went wrong
    sent_wh: the size the photo was scaled down to before sending; None where it was sent as it was
    outcome: what became of a storage event, "mask", "present" or "gone"; empty for a photo
    """

    body: bytes = field(repr=False)
    media_type: str
    size_wh: tuple[int, int] | None
    server_timing_ms: dict[str, float]
    model: str
    cold_start: bool
    round_trip_ms: float
    tries: int = 1
    sent_wh: tuple[int, int] | None = None
    outcome: str = ""


def read_answer(exchange: Exchange, output: str) -> Answer:
    """Turn a response into an Answer, or into the error that it is.

    output: what was asked for; "json" is JSON, all else PNG
    raises: ServerError, NotAllowed, BadAnswer
    """
    response = exchange.response
    if response.status_code != 200:
        problem = read_problem(response)
        problem.tries = exchange.tries
        raise problem
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    wanted = "application/json" if output == "json" else "image/png"
    if media_type != wanted:
        raise BadAnswer(f"expected {wanted} from {place(response)}, got {media_type or 'no Content-Type'}")
    return Answer(
        body=response.content,
        media_type=media_type,
        size_wh=None if output == "json" else png_size_wh(response.content),
        server_timing_ms=read_server_timing(response.headers.get("server-timing", "")),
        model=response.headers.get("x-model", ""),
        cold_start=response.headers.get("x-cold-start", "") == "1",
        round_trip_ms=exchange.round_trip_ms,
        tries=exchange.tries,
    )


def read_problem(response: httpx.Response) -> ServerError:
    """Make an error of an answer that is not 200, with the server's own detail where it gave one."""
    said: object = None
    if "json" in response.headers.get("content-type", ""):
        try:
            said = response.json()
        except ValueError:
            said = None
    problem = said if isinstance(said, dict) else {}
    title = one_line(problem.get("title") or response.reason_phrase)
    detail = one_line(problem.get("detail") or problem.get("title") or explain(response))
    kind = NotAllowed if response.status_code in (401, 403) else ServerError
    return kind(detail, response.status_code, title, one_line(problem.get("code") or ""))


def explain(response: httpx.Response) -> str:
    """Say in words what an answer without problem+json means."""
    if response.is_redirect:
        return f"{place(response)} points to {response.headers.get('location', 'elsewhere')}; give that to --url"
    said = f"{place(response)} answered {response.status_code} {response.reason_phrase}".rstrip()
    return f"{said}; it wants an identity token that it accepts" if response.status_code in (401, 403) else said


def place(response: httpx.Response) -> str:
    """Name where an answer came from, without the query."""
    return str(response.request.url.copy_with(query=None))


def one_line(said: object) -> str:
    """Press whatever a server said into one printable line of bearable length."""
    text = " ".join(str(said).split())
    printable = "".join(letter for letter in text if letter.isprintable())
    return printable if len(printable) <= LONGEST_DETAIL_CHARS else printable[: LONGEST_DETAIL_CHARS - 3] + "..."


def png_size_wh(body: bytes) -> tuple[int, int]:
    """Read width and height out of a PNG's header.

    raises: BadAnswer
    """
    if len(body) < 24 or not body.startswith(PNG_SIGNATURE):
        raise BadAnswer("the answer calls itself image/png and is not a PNG")
    width, height = struct.unpack(">II", body[16:24])
    return width, height


def read_server_timing(header: str) -> dict[str, float]:
    """Read `decode;dur=3.1, infer;dur=15` into milliseconds by stage; what cannot be read is left out."""
    stages: dict[str, float] = {}
    for entry in header.split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            try:
                if key.strip().lower() == "dur":
                    stages[name] = float(value.strip().strip('"'))
            except ValueError:
                continue
    return stages
