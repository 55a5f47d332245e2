from __future__ import annotations

import base64
import hashlib

from model.serving.http_headers import cors_headers, page_policy


def test_the_policy_of_a_page_allows_its_inline_scripts_and_styles_by_their_hash() -> None:
    policy = page_policy(b"<style>a</style><script>let b = 1</script>")
    for tag, content in (("style", b"a"), ("script", b"let b = 1")):
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe-inline" not in policy


def test_only_allowed_origins_get_cors_headers() -> None:
    origin = "https://a.example"
    assert cors_headers("GET", origin, ()) == {}
    assert cors_headers("GET", origin, ("https://b.example",)) == {}
    assert cors_headers("GET", "", ("*",)) == {}
    assert cors_headers("GET", origin, ("*",))["Access-Control-Allow-Origin"] == origin
    assert "Access-Control-Allow-Methods" in cors_headers("OPTIONS", origin, (origin,))
