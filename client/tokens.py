"""Identity tokens for a private function: where they come from, and how long they are kept."""

from __future__ import annotations

import base64
import binascii
import importlib
import json
import logging
import shutil
import subprocess
import threading
import time
from typing import Any, Literal, get_args

import httpx

from client.errors import AuthError
from client.options import is_loopback

Auth = Literal["auto", "none", "gcloud", "adc"]
AUTHS: tuple[str, ...] = get_args(Auth)
RENEW_BEFORE_S = 300
USUAL_LIFE_S = 3600
# A token refused this soon after it was made would be refused again.
FRESH_FOR_S = 60
# gcloud's token for a person names no audience, so whoever receives it could use it elsewhere.
# Unasked it goes to Google's own hosts alone.
GOOGLE_HOSTS = (".run.app", ".cloudfunctions.net")
GCLOUD_TIMEOUT_S = 60

log = logging.getLogger("silhouette")


class Tokens:
    """Keep one identity token for one function, renewed before it expires; safe to share between threads.

    `auto` sends none until the function asks for one (401, 403), so that a public one never sees a token.
    """

    def __init__(self, auth: Auth, address: httpx.URL, audience: str | None = None) -> None:
        self._sources = choose_sources(auth, address)
        self._audience = audience or audience_of(address)
        self._explicit = auth in ("gcloud", "adc")
        self._wanted = self._explicit
        self._lock = threading.Lock()
        self._token: str | None = None
        self._made_at = self._renew_at = 0.0

    def token(self) -> str | None:
        """Give the token to send now, or None.

        raises: AuthError
        """
        if not self._wanted:
            return None
        with self._lock:
            if self._token is None or time.time() > self._renew_at:
                self._fetch()
            return self._token

    def renew(self, refused: str | None) -> bool:
        """Replace a token that was refused; tell whether it is worth trying with the new one.

        refused: the token that was sent, None where none was
        raises: AuthError
        """
        with self._lock:
            if not self._sources:
                return False
            if self._token is not None and self._token != refused:
                return True
            if refused is not None and time.time() - self._made_at < FRESH_FOR_S:
                return False
            self._wanted = True
            self._fetch()
            return self._token is not None

    def _fetch(self) -> None:
        """Ask each source in turn; under `auto`, go without where none has a token, and say why."""
        reasons = []
        for source in self._sources:
            try:
                self._token = token_from(source, self._audience)
                self._made_at = time.time()
                self._renew_at = (expires_at(self._token) or self._made_at + USUAL_LIFE_S) - RENEW_BEFORE_S
                return
            except AuthError as error:
                reasons.append(error.detail)
        self._token = None
        if self._explicit:
            raise AuthError("; ".join(reasons))
        log.warning("the function asks for an identity token, and there is none: %s", "; ".join(reasons))
        self._sources, self._wanted = [], False


def choose_sources(auth: Auth, address: httpx.URL) -> list[Literal["adc", "gcloud"]]:
    """Name where tokens may come from, first choice first."""
    if auth == "none":
        return []
    if auth != "auto":
        return [auth]
    if address.scheme != "https" or is_loopback(address):
        return []
    return ["adc", "gcloud"] if address.host.endswith(GOOGLE_HOSTS) else ["adc"]


def audience_of(address: httpx.URL) -> str:
    """Name the function as its tokens must: its address, with the function's name where the host is shared."""
    origin = f"{address.scheme}://{address.netloc.decode('ascii')}"
    name = address.path.strip("/").partition("/")[0]
    return f"{origin}/{name}" if name and address.host.endswith(".cloudfunctions.net") else origin


def expires_at(token: str) -> float:
    """Read when a token expires, in seconds since 1970; 0 where it does not say."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return 0.0


def token_from(source: Literal["adc", "gcloud"], audience: str) -> str:
    """Fetch a token.

    raises: AuthError
    """
    return token_from_gcloud(audience) if source == "gcloud" else token_from_adc(audience)


def token_from_gcloud(audience: str) -> str:
    """Have gcloud print a token: for the audience where a service account is active, for the person otherwise.

    raises: AuthError
    """
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        raise AuthError("gcloud is not installed")
    command = [gcloud, "auth", "print-identity-token", "--quiet"]
    done = run([*command, f"--audiences={audience}"])
    if done.returncode != 0 and "service account" in done.stderr.lower():
        done = run(command)
    token = done.stdout.strip()
    if done.returncode != 0 or not token:
        raise AuthError(f"gcloud: {' '.join(done.stderr.split())[:200] or 'no token'}")
    return token


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with nothing to read and nothing shown.

    raises: AuthError
    """
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=GCLOUD_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AuthError(f"gcloud does not answer: {type(error).__name__}") from error


def token_from_adc(audience: str) -> str:
    """Have google-auth make a token from the credentials it finds: a service account, its impersonation, or metadata.

    raises: AuthError
    """
    try:
        google_auth = importlib.import_module("google.auth")
        request = importlib.import_module("google.auth.transport.requests").Request()
    except ImportError as error:
        raise AuthError("google-auth is not installed (pip install 'google-auth[requests]')") from error
    try:
        credentials = identity_credentials(google_auth.default()[0], request, audience)
        credentials.refresh(request)
    except google_auth.exceptions.GoogleAuthError as error:
        raise AuthError(f"application default credentials: {' '.join(str(error).split())[:200]}") from error
    return str(credentials.token)


def identity_credentials(found: Any, request: Any, audience: str) -> Any:
    """Turn the credentials that google-auth found into ones that yield identity tokens.

    raises: AuthError, and google-auth's own
    """
    impersonated = importlib.import_module("google.auth.impersonated_credentials")
    if isinstance(found, impersonated.Credentials):
        return impersonated.IDTokenCredentials(found, target_audience=audience, include_email=True)
    if isinstance(found, importlib.import_module("google.oauth2.credentials").Credentials):
        raise AuthError("application default credentials of a person make no token for a function (--auth gcloud does)")
    return importlib.import_module("google.oauth2.id_token").fetch_id_token_credentials(audience, request)
