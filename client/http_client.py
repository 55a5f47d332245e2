"""The HTTP client's settings, and errors in the environment variables that httpx and ssl read."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from .errors import EnvironmentVariableError
from .url import hide_password, is_loopback
from .version import __version__

USER_AGENT = f"silhouette-client/{__version__} python-httpx/{httpx.__version__}"
# The caller decides how many requests run at once; each needs a connection.
UNLIMITED_CONNECTIONS = httpx.Limits(max_connections=None, max_keepalive_connections=None)
CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
PROXY_VARIABLES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")
# What httpx and its parsers raise for values that they cannot use.
PROXY_ERRORS = (ImportError, ValueError, httpx.InvalidURL, OSError)

HttpClient = TypeVar("HttpClient", httpx.Client, httpx.AsyncClient)


def create_http_client(client_class: Callable[..., HttpClient], url: httpx.URL, auth: httpx.Auth | None) -> HttpClient:
    """Create the HTTP client for a function.

    Args:
        client_class: httpx.Client or httpx.AsyncClient.
        url: The URL of the function.
        auth: The user name and password of the URL, if it has some.

    Returns:
        The HTTP client.

    Raises:
        EnvironmentVariableError: If a variable for proxies or certificates has a value that cannot be used.
    """
    trust_env = not is_loopback(url)  # a proxy cannot reach this machine's loopback addresses
    settings: dict[str, Any] = {
        "headers": {"User-Agent": USER_AGENT},
        "limits": UNLIMITED_CONNECTIONS,
        "auth": auth,
        "trust_env": trust_env,
        "verify": _ssl_context(trust_env),
    }
    try:
        return client_class(**settings)
    except PROXY_ERRORS as error:
        raise _proxy_error(error, settings["verify"]) from error


def _ssl_context(trust_env: bool) -> ssl.SSLContext:
    """Return the TLS settings, with the certificates that the environment names."""
    try:
        return httpx.create_ssl_context(trust_env=trust_env)
    except OSError as error:
        key_log = os.environ.get("SSLKEYLOGFILE")
        named = [name for name in CERTIFICATE_VARIABLES if trust_env and os.environ.get(name)]
        if key_log and (error.filename == key_log or not named):
            named = ["SSLKEYLOGFILE"]
        if not named:
            raise
        reason = (error.strerror or str(error)).lower()
        raise EnvironmentVariableError(f"{named[0]}={os.environ[named[0]]}: {reason}") from error


def _proxy_error(error: Exception, verify: ssl.SSLContext) -> EnvironmentVariableError:
    """Return the error of the proxy variable that causes it; of NO_PROXY if each proxy by itself is valid."""
    for name in (spelling for upper in PROXY_VARIABLES for spelling in (upper.lower(), upper)):
        value = os.environ.get(name)
        if not value:
            continue
        try:
            httpx.HTTPTransport(verify=verify, proxy=value if "://" in value else f"http://{value}").close()
        except ImportError:
            reason = "SOCKS proxies need the package socksio (pip install 'silhouette-client[socks]' or 'httpx[socks]')"
            return EnvironmentVariableError(f"{name}={hide_password(value)}: {reason}")
        except PROXY_ERRORS as cause:
            reason = "it is not the URL of a proxy; use http://, https:// or socks5://"
            return EnvironmentVariableError(f"{name}={hide_password(value)}: {reason} ({hide_password(str(cause))})")
    for name in ("no_proxy", "NO_PROXY"):
        if os.environ.get(name):
            return EnvironmentVariableError(f"{name}={os.environ[name]}: it is not a list of host names ({error})")
    return EnvironmentVariableError(f"the system's proxy settings are invalid ({hide_password(str(error))})")
