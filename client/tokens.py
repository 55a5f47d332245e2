"""Identity tokens for a private function: fetched from gcloud or google-auth, and cached."""

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

from .errors import AuthError
from .url import is_loopback

AuthMode = Literal["auto", "none", "gcloud", "adc"]
TokenSource = Literal["adc", "gcloud"]
AUTH_MODES: tuple[str, ...] = get_args(AuthMode)
RENEW_BEFORE_EXPIRY_S = 300
DEFAULT_LIFETIME_S = 3600
# If a token of less than this age is rejected, a new one would be rejected too.
FRESH_FOR_S = 60
# gcloud's token of a user account has no audience, so its receiver could use it elsewhere.
# In mode "auto" it is sent to hosts of Google only.
GOOGLE_HOSTS = (".run.app", ".cloudfunctions.net")
GCLOUD_TIMEOUT_S = 60

log = logging.getLogger("silhouette")


class TokenCache:
    """The identity token for one function, renewed before it expires. Threads may share it.

    Mode "auto" sends none until the function has required one (401, 403), so that a public function never sees a token.
    """

    def __init__(self, auth: AuthMode, url: httpx.URL, audience: str | None = None) -> None:
        self._sources = token_sources(auth, url)
        self._audience = audience or default_audience(url)
        self._required = auth in ("gcloud", "adc")
        self._enabled = self._required
        self._lock = threading.Lock()
        self._token: str | None = None
        self._fetched_at = self._renew_at = 0.0

    def token(self) -> str | None:
        """Return the token to send, or None to send none.

        Raises:
            AuthError: If no token could be fetched from the source that the mode names.
        """
        if not self._enabled:
            return None
        with self._lock:
            if self._token is None or time.time() > self._renew_at:
                self._fetch()
            return self._token

    def renew(self, rejected: str | None) -> bool:
        """Replace a token that the function rejected.

        Args:
            rejected: The token that was sent; None if none was.

        Returns:
            Whether to send the request again with the new token.

        Raises:
            AuthError: If no token could be fetched from the source that the mode names.
        """
        with self._lock:
            if not self._sources:
                return False
            if self._token is not None and self._token != rejected:
                return True  # another thread has replaced it
            if rejected is not None and time.time() - self._fetched_at < FRESH_FOR_S:
                return False
            self._enabled = True
            self._fetch()
            return self._token is not None

    def _fetch(self) -> None:
        """Fetch a token from the first source that has one; in mode "auto" log why none has, and disable tokens."""
        reasons = []
        for source in self._sources:
            try:
                self._token = fetch_token(source, self._audience)
                self._fetched_at = time.time()
                expires_at = token_expiry(self._token) or self._fetched_at + DEFAULT_LIFETIME_S
                self._renew_at = expires_at - RENEW_BEFORE_EXPIRY_S
                return
            except AuthError as error:
                reasons.append(error.detail)
        self._token = None
        if self._required:
            raise AuthError("; ".join(reasons))
        log.warning("the function requires an identity token, but none is available: %s", "; ".join(reasons))
        self._sources, self._enabled = [], False


def token_sources(auth: AuthMode, url: httpx.URL) -> list[TokenSource]:
    """Return the sources of tokens in the order in which to try them."""
    if auth == "none":
        return []
    if auth != "auto":
        return [auth]
    if url.scheme != "https" or is_loopback(url):
        return []
    return ["adc", "gcloud"] if url.host.endswith(GOOGLE_HOSTS) else ["adc"]


def default_audience(url: httpx.URL) -> str:
    """Return the audience of tokens for a URL.

    It is the origin, with the name of the function on cloudfunctions.net. The address of a traffic tag of Cloud Run,
    https://TAG---SERVICE.run.app, accepts tokens for the service's own address only.
    """
    netloc = url.netloc.decode("ascii")
    if url.host.endswith(".run.app"):
        netloc = netloc.rpartition("---")[2]
    origin = f"{url.scheme}://{netloc}"
    name = url.path.strip("/").partition("/")[0]
    return f"{origin}/{name}" if name and url.host.endswith(".cloudfunctions.net") else origin


def token_expiry(token: str) -> float:
    """Return the `exp` claim of a JSON Web Token, in seconds since 1970; 0 if it has none."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return 0.0


def fetch_token(source: TokenSource, audience: str) -> str:
    """Fetch a new token.

    Raises:
        AuthError: If the source has none.
    """
    return _fetch_from_gcloud(audience) if source == "gcloud" else _fetch_from_adc(audience)


def _fetch_from_gcloud(audience: str) -> str:
    """Run gcloud; with a service account the token has the audience, with a user account it has none."""
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        raise AuthError("gcloud is not installed")
    command = [gcloud, "auth", "print-identity-token", "--quiet"]
    completed = _run([*command, f"--audiences={audience}"])
    if completed.returncode != 0 and "service account" in completed.stderr.lower():
        completed = _run(command)
    token = completed.stdout.strip()
    if completed.returncode != 0 or not token:
        raise AuthError(f"gcloud: {' '.join(completed.stderr.split())[:200] or 'no token'}")
    return token


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=GCLOUD_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AuthError(f"cannot run gcloud: {type(error).__name__}") from error


def _fetch_from_adc(audience: str) -> str:
    """Use Application Default Credentials: a service account, impersonation, or the metadata server."""
    try:
        google_auth = importlib.import_module("google.auth")
        request = importlib.import_module("google.auth.transport.requests").Request()
    except ImportError as error:
        raise AuthError("google-auth is not installed (pip install 'google-auth[requests]')") from error
    try:
        credentials = _identity_credentials(google_auth.default()[0], request, audience)
        credentials.refresh(request)
    except (google_auth.exceptions.GoogleAuthError, OSError) as error:
        raise AuthError(f"Application Default Credentials: {' '.join(str(error).split())[:200]}") from error
    return str(credentials.token)


def _identity_credentials(default: Any, request: Any, audience: str) -> Any:
    """Turn google-auth's default credentials into credentials for identity tokens."""
    impersonated = importlib.import_module("google.auth.impersonated_credentials")
    if isinstance(default, impersonated.Credentials):
        return impersonated.IDTokenCredentials(default, target_audience=audience, include_email=True)
    if isinstance(default, importlib.import_module("google.oauth2.credentials").Credentials):
        raise AuthError("Application Default Credentials of a user account give no identity token; use --auth gcloud")
    return importlib.import_module("google.oauth2.id_token").fetch_id_token_credentials(audience, request)
