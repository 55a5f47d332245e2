"""The contract as written, held to the code, and to the running function by a client that tries what it allows."""

from __future__ import annotations

import io
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.support.function_process import serving
from tests.support.paths import ROOT

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
jsonschema = pytest.importorskip("jsonschema_rs", reason="schemathesis, which brings it, is not installed")
negative_data_rejection = schemathesis.checks.negative_data_rejection
CONTRACT: dict[str, Any] = json.loads((ROOT / "client" / "web" / "openapi.json").read_text())
OPERATIONS = {(path, verb): what for path, verbs in CONTRACT["paths"].items() for verb, what in verbs.items()}
KINDS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/avif": "AVIF", "image/gif": "GIF"}
KINDS |= {"image/bmp": "BMP", "image/tiff": "TIFF", "application/octet-stream": "PNG"}
BOUNDED = settings(
    max_examples=25, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def photo(kind: str, width: int, height: int, colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, kind)
    return file.getvalue()


def photos(kind: str) -> st.SearchStrategy[bytes]:
    """Draw small photos of a format."""
    return st.builds(photo, st.just(kind), st.integers(1, 90), st.integers(1, 90), st.sampled_from(["red", "tan"]))


for media_type, kind in KINDS.items():
    schemathesis.openapi.media_type(media_type, photos(kind))
schemathesis.openapi.format("binary", photos("JPEG"))


@pytest.fixture(scope="module")
def contract(server: str, sample: bytes) -> Any:
    """The contract, its one open end closed, the classes that this model has; its function has made a mask."""
    assert httpx.post(server, content=sample).status_code == 200
    document = json.loads(json.dumps(CONTRACT))
    labels = [entry["name"] for entry in httpx.get(server).json()["classes"]]
    document["components"]["parameters"]["class"]["schema"]["enum"] = labels
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=server)
    return schema


TRIES = [(*operation, "positive") for operation in OPERATIONS]
TRIES += [(path, verb, "negative") for path, verb in OPERATIONS if verb == "post"]


@pytest.mark.parametrize(("path", "verb", "mode"), TRIES)
def test_the_function_never_answers_what_the_contract_does_not_say(
    contract: Any, path: str, verb: str, mode: str
) -> None:
    operation = contract[path][verb.upper()]

    @BOUNDED
    @given(operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
    def check(case: Any) -> None:
        # Of a form it breaks one of two ways to be right, and wonders that the other is accepted.
        form = case.media_type == "multipart/form-data"
        case.call_and_validate(timeout=60, excluded_checks=[negative_data_rejection] if form else [])

    check()


@pytest.mark.parametrize("path", ["/", "/predict"])
def test_no_bytes_whatever_bring_an_answer_that_the_contract_does_not_say(
    contract: Any, http: httpx.Client, sample: bytes, path: str
) -> None:
    starts = st.sampled_from([b"", sample, sample[:700], photo("PNG", 40, 30, "red"), photo("TIFF", 9, 9, "red")])
    cuts = st.one_of(st.none(), st.integers(0, 1000))

    @BOUNDED
    @given(starts, cuts, st.binary(max_size=300))
    def check(start: bytes, cut: int | None, rest: bytes) -> None:
        contract[path]["POST"].validate_response(http.post(path, content=start[:cut] + rest))

    check()


def test_the_contract_has_the_routes_of_the_code_and_no_others() -> None:
    import main

    assert {(path, verb.upper()) for path, verb in OPERATIONS} == main.ROUTES.keys()


def test_the_contract_has_the_options_of_the_code_and_their_values() -> None:
    from model import options

    named = CONTRACT["components"]["parameters"]
    assert list(named) == list(options.NAMES)
    assert [entry["$ref"].rpartition("/")[2] for entry in OPERATIONS["/", "post"]["parameters"]] == list(named)
    assert named["output"]["schema"]["enum"] == list(options.OUTPUTS)
    assert named["size"]["schema"]["enum"] == list(options.SIZES)


def test_the_contract_has_the_statuses_and_codes_of_the_code() -> None:
    import main

    ours = {(status, main.errors.code_of(kind.__name__)) for kind, status in main.STATUS.items()}
    ours |= {(404, "not-found"), (405, "method-not-allowed"), (500, "internal-error")}
    responses = CONTRACT["components"]["responses"].values()
    answers = [answer["content"]["application/problem+json"] for answer in responses]
    examples = [(code, entry["value"]) for answer in answers for code, entry in answer["examples"].items()]
    assert {(value["status"], value["code"]) for _, value in examples} == ours
    for code, value in examples:
        assert value["code"] == code
        assert value["type"] == f"urn:silhouette:{code}"
        assert value["title"] == main.HTTP_STATUS_CODES[value["status"]]
    for path, good in ("/", {200, 204}), ("/predict", {200}):
        assert {int(status) for status in OPERATIONS[path, "post"]["responses"]} == {*good, *main.STATUS.values()}


def test_what_a_path_or_method_beyond_the_contract_gets_is_in_it_too(http: httpx.Client) -> None:
    for response, name in ((http.get("/nowhere"), "NotFound"), (http.delete("/"), "MethodNotAllowed")):
        said = CONTRACT["components"]["responses"][name]
        assert response.headers["content-type"] in said["content"]
        assert {header.lower() for header in said["headers"]} <= set(response.headers)
        value = said["content"]["application/problem+json"]["examples"][response.json()["code"]]["value"]
        assert response.json() | {"detail": ""} == value | {"detail": ""}


def test_the_examples_of_the_contract_fit_its_schemas() -> None:
    for operation in OPERATIONS.values():
        for status, answer in operation["responses"].items():
            for kind, media in answer.get("content", {}).items():
                if "example" in media:
                    resolved = {"components": CONTRACT["components"], **media["schema"]}
                    errors = jsonschema.Draft202012Validator(resolved).iter_errors(media["example"])
                    assert not list(errors), (status, kind)


def test_the_function_hands_out_the_contract_and_the_sample(http: httpx.Client, sample: bytes) -> None:
    assert http.get("/openapi.json").json() == CONTRACT
    assert http.get("/sample.jpg").content == sample
    assert http.head("/openapi.json").headers["content-type"] == "application/json"


def test_an_origin_that_is_allowed_may_read_every_answer_and_no_other_may(sample: bytes) -> None:
    ours, other = {"Origin": "https://a.example"}, {"Origin": "https://b.example"}
    allowed = {"ALLOWED_ORIGINS": "https://a.example, http://localhost:3000"}
    with serving(**allowed) as url, httpx.Client(base_url=url, timeout=60) as client:
        for path, body in (("/", sample), ("/", b"no photo"), ("/nowhere", b"")):
            answer = client.post(path, content=body, headers=ours)
            assert answer.headers["access-control-allow-origin"] == "https://a.example"
            assert "X-Model" in answer.headers["access-control-expose-headers"]
            assert answer.headers["vary"] == "Accept, Origin"
            refused = client.post(path, content=body, headers=other).headers
            assert not [name for name in refused if name.startswith("access-control")]
            assert refused["vary"] == "Accept, Origin"
        asked = client.options("/", headers={**ours, "Access-Control-Request-Method": "POST"})
        assert asked.status_code == 204
        assert "POST" in asked.headers["access-control-allow-methods"]
        assert "Authorization" in asked.headers["access-control-allow-headers"]


def test_a_star_allows_every_origin_and_nothing_set_allows_none(http: httpx.Client) -> None:
    origin = {"Origin": "https://a.example"}
    assert "access-control-allow-origin" not in http.get("/", headers=origin).headers
    assert http.options("/").status_code == 204
    assert http.options("/").headers["allow"] == "GET, POST"
    assert http.options("/nowhere").status_code == 404
    with serving(ALLOWED_ORIGINS="*") as url:
        assert httpx.get(url, headers=origin).headers["access-control-allow-origin"] == "https://a.example"


def test_allowed_origins_without_sense_are_refused_by_their_name() -> None:
    from model.serving.settings import Settings

    assert Settings.from_env({"ALLOWED_ORIGINS": "https://a.example,*"}).allowed_origins == ("https://a.example", "*")
    for value in ("a.example", "https://a.example/", "https://*.a.example"):
        with pytest.raises(ValueError, match="ALLOWED_ORIGINS"):
            Settings.from_env({"ALLOWED_ORIGINS": value})
