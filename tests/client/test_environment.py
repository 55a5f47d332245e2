"""Environment variables with which no HTTP client can be created, and passwords in URLs."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
from pathlib import Path

import pytest

from client import AsyncClient, Client, EnvironmentVariableError, Unreachable
from client.cli.main import main
from client.url import hide_password
from tests.support.fake_function import FakeFunction, busy
from tests.support.images import random_image

URL = "https://silhouette.invalid"
VARIABLES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
PASSWORD = "pa55word"

needs_no_socks = pytest.mark.skipif(importlib.util.find_spec("socksio") is not None, reason="socksio is installed")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def broken_pem(folder: Path) -> Path:
    path = folder / "broken.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    return path


@pytest.mark.parametrize("command", ["file", "folder", "bucket"])
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        pytest.param("ALL_PROXY", "socks5://localhost:1080", "[socks]", marks=needs_no_socks),
        pytest.param("all_proxy", "socks5h://localhost:1080", "[socks]", marks=needs_no_socks),
        ("HTTPS_PROXY", "socks4://localhost:1080", "it is not the URL of a proxy"),
        ("http_proxy", "ftp://localhost", "it is not the URL of a proxy"),
        ("HTTPS_PROXY", "http://localhost:port", "it is not the URL of a proxy"),
        ("HTTPS_PROXY", "http://[::1", "it is not the URL of a proxy"),
        ("ALL_PROXY", f"http://user:{PASSWORD}@localhost:port", "it is not the URL of a proxy"),
        ("NO_PROXY", "[::1]", "it is not a list of host names"),
        ("SSL_CERT_FILE", "missing.pem", "no such file"),
        ("SSL_CERT_FILE", "{broken}", "SSL_CERT_FILE="),
        ("SSLKEYLOGFILE", "missing/keys.log", "no such file"),
    ],
)
def test_an_unusable_variable_is_named_in_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    message: str,
    command: str,
) -> None:
    (tmp_path / "a.png").write_bytes(random_image(1))
    monkeypatch.setenv(name, value.format(broken=broken_pem(tmp_path)))
    source = {
        "file": [str(tmp_path / "a.png")],
        "folder": [str(tmp_path)],
        "bucket": ["gs://in", "--masks", "gs://out"],
    }
    assert main([*source[command], "--url", URL]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert output.err.startswith(f"{name}=")
    assert message in output.err
    assert PASSWORD not in output.err


@pytest.mark.parametrize("client_class", [Client, AsyncClient])
def test_an_unusable_variable_raises_the_clients_own_exception(
    monkeypatch: pytest.MonkeyPatch, client_class: type[Client] | type[AsyncClient]
) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://localhost")
    with pytest.raises(EnvironmentVariableError, match="ALL_PROXY=gopher://localhost"):
        client_class(URL)


def test_a_local_function_needs_no_proxy(fake: FakeFunction, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://localhost:1080")
    monkeypatch.setenv("SSL_CERT_FILE", "missing.pem")
    with Client(fake.url) as client:
        assert client.segment(random_image(1)).size_wh == (16, 12)


def test_an_invalid_url_in_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SILHOUETTE_URL", f"user:{PASSWORD}@localhost:8080")
    with pytest.raises(SystemExit) as raised:
        main(["a.png"])
    assert raised.value.code == 2
    error = capsys.readouterr().err
    assert "(from SILHOUETTE_URL)" in error
    assert PASSWORD not in error


@pytest.mark.parametrize(
    "text",
    [
        f"http://user:{PASSWORD}@host/x",
        f"user:{PASSWORD}@host",
        f"http://user:{PASSWORD}/1@host",
        f"http://{PASSWORD}@host",
        f"socks5://user:{PASSWORD}@host:1080",
        f"invalid port in 'http://user:{PASSWORD}@host:x'",
    ],
)
def test_a_password_is_hidden_in_messages(text: str) -> None:
    assert PASSWORD not in hide_password(text)
    assert "***@host" in hide_password(text)


def test_a_password_in_the_url_is_sent_but_never_printed(
    fake: FakeFunction, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    (tmp_path / "a.png").write_bytes(random_image(1))
    url = fake.url.replace("http://", f"http://user:{PASSWORD}@")
    fake.fail = lambda number, request: busy(503, Retry_After="0") if number == 1 else None
    log = tmp_path / "log.jsonl"
    assert main([str(tmp_path / "a.png"), "--url", url, "--log", str(log)]) == 0
    expected = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    assert fake.requests[-1].headers["authorization"] == f"Basic {expected}"
    fake.stop()
    assert main([str(tmp_path / "a.png"), "--url", url, "--log", str(log), "--deadline", "0.1"]) == 1
    shown = "".join(capsys.readouterr()) + caplog.text + log.read_text()
    fake.restart()
    assert PASSWORD not in shown
    assert f"no response from {fake.url}" in shown


def test_a_password_in_the_environment_is_not_shown_by_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SILHOUETTE_URL", f"http://user:{PASSWORD}@localhost")
    with pytest.raises(SystemExit):
        main(["--help"])
    assert PASSWORD not in capsys.readouterr().out


def test_the_asyncio_client_hides_the_password_too() -> None:
    async def segment() -> None:
        async with AsyncClient(f"http://user:{PASSWORD}@127.0.0.1:9", deadline_s=0.1) as client:
            await client.segment(random_image(1))

    with pytest.raises(Unreachable) as raised:
        asyncio.run(segment())
    assert PASSWORD not in str(raised.value)
