from __future__ import annotations

import asyncio
import base64
import http.server
import json
import logging
import os
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from client import AsyncClient, AuthError, Client, NotAllowed
from client.cli.main import main
from client.tokens import TokenCache, default_audience, token_expiry, token_sources
from tests.support.fake_function import Failure, FakeFunction, ReceivedRequest, busy, render, running_fake
from tests.support.images import random_image
from tests.support.photo_folder import write_photo

PHOTO = random_image(7)
SIGNATURE = "c2lnbmVk"
PRIVATE = httpx.URL("https://segment-abc-ew.a.run.app")


def make_token(name: str, lifetime_s: float = 3600) -> str:
    """Return an identity token without a valid signature."""
    claims = json.dumps({"name": name, "exp": time.time() + lifetime_s}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.{SIGNATURE}"


class Gcloud:
    """A fake gcloud: a script that prints the token in one file and records its arguments in another."""

    def __init__(self, folder: Path) -> None:
        self._token, self._calls, self._account = folder / "token", folder / "calls", folder / "account"
        self.set_token(make_token("first"))
        program = folder / "gcloud"
        program.write_text(
            f"""#!/bin/sh
echo "$*" >> '{self._calls}'
account=$(cat '{self._account}' 2>/dev/null)
case "$account $*" in
user*--audiences*) echo 'Invalid account type for --audiences. Requires valid service account.' >&2; exit 1;;
none*) echo 'You do not currently have an active account selected.' >&2; exit 1;;
esac
cat '{self._token}'
"""
        )
        program.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    def set_token(self, token: str) -> None:
        self._token.write_text(token + "\n")

    def set_account(self, account: str) -> None:
        self._account.write_text(account)


@pytest.fixture
def gcloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gcloud:
    if os.name != "posix":
        pytest.skip("the fake gcloud is a shell script")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return Gcloud(tmp_path)


@pytest.fixture
def no_google_auth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)


@pytest.fixture
def private() -> Iterator[FakeFunction]:
    """A function that requires a token with the right signature."""

    def fail(number: int, request: ReceivedRequest) -> Failure | None:
        return None if SIGNATURE in request.headers.get("authorization", "") else busy(403)

    with running_fake(fail) as running:
        yield running


@pytest.fixture
def rejecting() -> Iterator[FakeFunction]:
    with running_fake(lambda number, request: busy(403)) as running:
        yield running


def test_a_token_from_gcloud_gives_access_to_a_private_function_and_is_cached(
    private: FakeFunction, gcloud: Gcloud
) -> None:
    with Client(private.url, auth="gcloud") as client:
        assert client.segment(PHOTO).png == client.segment(PHOTO).png == render(PHOTO)
    assert gcloud.calls == [f"auth print-identity-token --quiet --audiences={private.url}"]
    assert len(private.requests) == 2


def test_each_of_two_compared_functions_gets_tokens_for_itself(
    private: FakeFunction, gcloud: Gcloud, tmp_path: Path
) -> None:
    write_photo(tmp_path / "photo.png", 1)
    token = "auth print-identity-token --quiet --audiences="
    with running_fake() as old:
        command = [str(tmp_path / "photo.png"), "--url", private.url, "--against", old.url, "--auth", "gcloud"]
        assert main(command) == 0
        assert set(gcloud.calls) == {f"{token}{private.url}", f"{token}{old.url}"}
        assert all(SIGNATURE in request.headers["authorization"] for request in old.requests)
        assert main([*command, "--audience", "https://example.com/new"]) == 0
        assert set(gcloud.calls[-4:]) == {f"{token}https://example.com/new", f"{token}{old.url}"}


def test_a_user_account_gets_a_token_without_an_audience(private: FakeFunction, gcloud: Gcloud) -> None:
    gcloud.set_account("user")
    with Client(private.url, auth="gcloud") as client:
        client.segment(PHOTO)
    assert gcloud.calls[-1] == "auth print-identity-token --quiet"


def test_a_token_is_renewed_before_it_expires(private: FakeFunction, gcloud: Gcloud) -> None:
    gcloud.set_token(make_token("short", lifetime_s=60))
    with Client(private.url, auth="gcloud") as client:
        client.segment(PHOTO)
        gcloud.set_token(make_token("second"))
        client.segment(PHOTO)
        client.segment(PHOTO)
    sent = [request.headers["authorization"] for request in private.requests]
    assert sent[0] != sent[1] == sent[2]
    assert len(gcloud.calls) == 2


def test_many_threads_share_one_token(private: FakeFunction, gcloud: Gcloud, tmp_path: Path) -> None:
    for seed in range(12):
        write_photo(tmp_path / "photos" / f"{seed}.png", seed)
    assert main([str(tmp_path / "photos"), "--url", private.url, "--auth", "gcloud", "--jobs", "6"]) == 0
    assert len(gcloud.calls) == 1


def test_a_fresh_token_that_is_rejected_is_not_fetched_again(rejecting: FakeFunction, gcloud: Gcloud) -> None:
    with Client(rejecting.url, auth="gcloud") as client:
        for _ in range(3):
            with pytest.raises(NotAllowed):
                client.segment(PHOTO)
    assert len(gcloud.calls) == 1
    assert len(rejecting.requests) == 3


def test_a_token_is_neither_printed_nor_logged(
    private: FakeFunction,
    gcloud: Gcloud,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "photo.png").write_bytes(PHOTO)
    log = tmp_path / "run.log"
    arguments = [str(tmp_path / "photo.png"), "--url", private.url, "--auth", "gcloud", "--log", str(log)]
    assert main(arguments) == 0
    private.fail = lambda number, request: busy(403)
    assert main(arguments) == 1
    output = "".join(capfd.readouterr()) + caplog.text + log.read_text()
    assert make_token("first").split(".")[1][:40] not in output
    assert SIGNATURE not in output


def test_the_error_without_a_gcloud_account_quotes_gcloud(private: FakeFunction, gcloud: Gcloud) -> None:
    gcloud.set_account("none")
    with Client(private.url, auth="gcloud") as client, pytest.raises(AuthError, match="active account"):
        client.segment(PHOTO)
    assert private.requests == []


def test_a_missing_gcloud_is_reported(private: FakeFunction, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with Client(private.url, auth="gcloud") as client, pytest.raises(AuthError, match="gcloud is not installed"):
        client.segment(PHOTO)


def test_auto_sends_no_token_to_a_loopback_address(private: FakeFunction, gcloud: Gcloud) -> None:
    with Client(private.url) as client, pytest.raises(NotAllowed):
        client.segment(PHOTO)
    assert gcloud.calls == []


@pytest.mark.usefixtures("no_google_auth")
def test_auto_fetches_a_token_only_once_the_function_requires_one(gcloud: Gcloud) -> None:
    tokens = TokenCache("auto", PRIVATE)
    assert tokens.token() is None
    assert gcloud.calls == []
    assert tokens.renew(rejected=None)
    assert (tokens.token() or "").endswith(SIGNATURE)
    assert len(gcloud.calls) == 1


@pytest.mark.usefixtures("no_google_auth")
@pytest.mark.parametrize("url", ["https://segment.example.com", "http://segment-abc-ew.a.run.app", "http://10.0.0.7"])
def test_auto_sends_a_user_accounts_token_to_google_hosts_only_and_never_unencrypted(gcloud: Gcloud, url: str) -> None:
    tokens = TokenCache("auto", httpx.URL(url))
    assert not tokens.renew(rejected=None)
    assert tokens.token() is None
    assert gcloud.calls == []


@pytest.mark.usefixtures("no_google_auth")
def test_auto_without_a_token_logs_the_reason_once(gcloud: Gcloud, caplog: pytest.LogCaptureFixture) -> None:
    gcloud.set_account("none")
    tokens = TokenCache("auto", PRIVATE)
    assert not tokens.renew(rejected=None)
    assert not tokens.renew(rejected=None)
    assert caplog.text.count("google-auth is not installed") == 1
    assert "active account" in caplog.text


@pytest.mark.parametrize(
    ("url", "audience"),
    [
        ("https://segment-abc-ew.a.run.app/anything?x=1", "https://segment-abc-ew.a.run.app"),
        ("https://candidate---segment-abc-ew.a.run.app", "https://segment-abc-ew.a.run.app"),
        ("https://v-2---segment-12.europe-west1.run.app/?x", "https://segment-12.europe-west1.run.app"),
        ("https://a---b.example.com", "https://a---b.example.com"),
        ("https://europe-west1-p.cloudfunctions.net/segment/", "https://europe-west1-p.cloudfunctions.net/segment"),
        ("http://localhost:8080", "http://localhost:8080"),
    ],
)
def test_the_default_audience_is_the_function_without_path_and_query(url: str, audience: str) -> None:
    assert default_audience(httpx.URL(url)) == audience


class TokenServer:
    """A fake of Google's token endpoint, which exchanges a signed assertion for an identity token."""

    def __init__(self) -> None:
        self.audiences: list[str] = []
        audiences = self.audiences

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                payload = form["assertion"][0].split(".")[1]
                claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
                audiences.append(claims["target_audience"])
                body = json.dumps({"id_token": make_token("adc")}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/token"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def token_server() -> Iterator[TokenServer]:
    running = TokenServer()
    yield running
    running.server.shutdown()
    running.server.server_close()


def write_service_account(path: Path, token_url: str) -> None:
    """Write the key file of a service account, with a new key."""
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa", reason="cryptography is not installed")
    from cryptography.hazmat.primitives import serialization

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"type": "service_account", "project_id": "p", "private_key_id": "k", "client_id": "1"}
    account |= {"client_email": "caller@p.iam.gserviceaccount.com", "token_uri": token_url, "private_key": key.decode()}
    path.write_text(json.dumps(account))


def test_a_service_account_token_is_fetched_by_google_auth(
    private: FakeFunction, token_server: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("google.auth.transport.requests", reason="google-auth[requests] is not installed")
    write_service_account(tmp_path / "account.json", token_server.url)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    with Client(private.url, auth="adc", audience="https://example.com/it") as client:
        assert client.segment(PHOTO).png == client.segment(PHOTO).png == render(PHOTO)
    assert token_server.audiences == ["https://example.com/it"]
    assert len(private.requests) == 2


def test_a_missing_key_file_is_reported(private: FakeFunction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("google.auth.transport.requests", reason="google-auth[requests] is not installed")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with Client(private.url, auth="adc") as client, pytest.raises(AuthError, match=r"none\.json"):
        client.segment(PHOTO)
    assert private.requests == []


@pytest.mark.usefixtures("no_google_auth")
def test_the_error_for_adc_without_google_auth_says_what_to_install(private: FakeFunction) -> None:
    with Client(private.url, auth="adc") as client, pytest.raises(AuthError, match="pip install 'google-auth"):
        client.segment(PHOTO)


@pytest.mark.parametrize("token", ["", "a.b.c", "e30.e30.x"])
def test_a_token_without_a_readable_expiry_has_none(token: str) -> None:
    assert token_expiry(token) == 0


def test_no_source_is_used_in_mode_none() -> None:
    tokens = TokenCache("none", PRIVATE)
    assert token_sources("none", PRIVATE) == []
    assert tokens.token() is None
    assert not tokens.renew(rejected=None)


def test_a_token_that_another_thread_has_replaced_is_used(gcloud: Gcloud) -> None:
    tokens = TokenCache("gcloud", PRIVATE)
    tokens.token()
    assert tokens.renew(rejected="the token before")
    assert len(gcloud.calls) == 1


def test_a_gcloud_that_cannot_be_run_is_reported(gcloud: Gcloud, tmp_path: Path) -> None:
    (tmp_path / "gcloud").write_bytes(b"not a program")
    with pytest.raises(AuthError, match="cannot run gcloud"):
        TokenCache("gcloud", PRIVATE).token()


def test_the_async_client_renews_a_rejected_token(private: FakeFunction, gcloud: Gcloud) -> None:
    gcloud.set_token("rejected")

    async def segment() -> bytes:
        async with AsyncClient(private.url, auth="gcloud") as client:
            with pytest.raises(NotAllowed):
                await client.segment(PHOTO)
            gcloud.set_token(make_token("second"))
            return (await client.segment(PHOTO)).png

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("client.tokens.FRESH_FOR_S", 0)
        assert asyncio.run(segment()) == render(PHOTO)


@pytest.mark.parametrize("is_user", [True, False])
def test_a_user_account_in_adc_is_rejected_and_an_impersonated_one_is_accepted(
    monkeypatch: pytest.MonkeyPatch, is_user: bool
) -> None:
    auth = pytest.importorskip("google.auth", reason="google-auth is not installed")
    pytest.importorskip("google.auth.transport.requests", reason="google-auth[requests] is not installed")
    from google.auth import impersonated_credentials
    from google.oauth2 import credentials

    user = credentials.Credentials("token")
    service = impersonated_credentials.Credentials(user, "caller@p.iam.gserviceaccount.com", ["scope"])

    def refresh(self: Any, request: Any) -> None:
        self.token = make_token("impersonated")

    monkeypatch.setattr(impersonated_credentials.IDTokenCredentials, "refresh", refresh)
    monkeypatch.setattr(auth, "default", lambda: (user if is_user else service, "p"))
    if is_user:
        with pytest.raises(AuthError, match="use --auth gcloud"):
            TokenCache("adc", PRIVATE).token()
    else:
        assert (TokenCache("adc", PRIVATE).token() or "").endswith(SIGNATURE)
