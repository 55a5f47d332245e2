from __future__ import annotations

import httpx

from tests.support.function_process import serving


def test_only_pages_of_allowed_origins_may_read_responses(sample: bytes) -> None:
    allowed_origin, other_origin = {"Origin": "https://a.example"}, {"Origin": "https://b.example"}
    settings = {"ALLOWED_ORIGINS": "https://a.example, http://localhost:3000"}
    with serving(**settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        for path, body in (("/", sample), ("/", b"no photo"), ("/nowhere", b"")):
            response = client.post(path, content=body, headers=allowed_origin)
            assert response.headers["access-control-allow-origin"] == "https://a.example"
            assert "X-Model" in response.headers["access-control-expose-headers"]
            assert response.headers["vary"] == "Accept, Origin"
            refused = client.post(path, content=body, headers=other_origin).headers
            assert not [name for name in refused if name.startswith("access-control")]
            assert refused["vary"] == "Accept, Origin"
        preflight = client.options("/", headers={**allowed_origin, "Access-Control-Request-Method": "POST"})
        assert preflight.status_code == 204
        assert "POST" in preflight.headers["access-control-allow-methods"]
        assert "Authorization" in preflight.headers["access-control-allow-headers"]
        for requested in ("traceparent, x-requested-with", "content-type,x-goog-api-key", "X-Custom"):
            headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": requested}
            preflight = client.options("/", headers={**allowed_origin, **headers})
            assert preflight.headers["access-control-allow-headers"] == requested
            refused = client.options("/", headers={**other_origin, **headers}).headers
            assert "access-control-allow-headers" not in refused
        odd = {"Access-Control-Request-Headers": "a: b; c", **allowed_origin}
        assert client.options("/", headers=odd).headers["access-control-allow-headers"] == "Authorization, Content-Type"


def test_a_star_allows_every_origin_and_the_default_allows_none(http: httpx.Client) -> None:
    origin = {"Origin": "https://a.example"}
    assert "access-control-allow-origin" not in http.get("/", headers=origin).headers
    assert http.options("/").status_code == 204
    assert http.options("/").headers["allow"] == "GET, POST"
    assert http.options("/nowhere").status_code == 404
    with serving(ALLOWED_ORIGINS="*") as url:
        assert httpx.get(url, headers=origin).headers["access-control-allow-origin"] == "https://a.example"
