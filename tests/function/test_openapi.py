"""The OpenAPI document agrees with the code, and the running function agrees with the document (schemathesis)."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.http import HTTP_STATUS_CODES

from model.errors import code_of
from model.options import OPTION_NAMES, PHOTO_OUTPUTS
from tests.support.images import solid_image
from tests.support.paths import ROOT

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
jsonschema = pytest.importorskip("jsonschema_rs", reason="schemathesis, which depends on it, is not installed")
negative_data_rejection = schemathesis.checks.negative_data_rejection
DOCUMENT: dict[str, Any] = json.loads((ROOT / "client" / "web" / "openapi.json").read_text())
OPERATIONS = {(path, verb): spec for path, verbs in DOCUMENT["paths"].items() for verb, spec in verbs.items()}
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/avif": "AVIF", "image/gif": "GIF"}
FORMATS |= {"image/bmp": "BMP", "image/tiff": "TIFF", "application/octet-stream": "PNG"}
PNG, TIFF = solid_image("red", (40, 30), "PNG"), solid_image("red", (9, 9), "TIFF")
BOUNDED = settings(
    max_examples=25, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def small_photos(format: str) -> st.SearchStrategy[bytes]:
    """Return a strategy for small photos of a format."""
    sizes_wh = st.tuples(st.integers(1, 90), st.integers(1, 90))
    return st.builds(solid_image, st.sampled_from(["red", "tan"]), sizes_wh, st.just(format))


for media_type, format in FORMATS.items():
    schemathesis.openapi.media_type(media_type, small_photos(format))
schemathesis.openapi.format("binary", small_photos("JPEG"))
schemathesis.openapi.format("byte", small_photos("JPEG").map(lambda photo: base64.b64encode(photo).decode()))


@pytest.fixture(scope="module")
def document(server: str, sample: bytes) -> Any:
    """The OpenAPI document with the classes of this model as the values of `class`; the function is healthy."""
    assert httpx.post(server, content=sample).status_code == 200
    content = json.loads(json.dumps(DOCUMENT))
    labels = [entry["name"] for entry in httpx.get(server).json()["classes"]]
    content["components"]["parameters"]["class"]["schema"]["enum"] = labels
    schema = schemathesis.openapi.from_dict(content)
    schema.config.update(base_url=server)
    return schema


GENERATED = [(*operation, "positive") for operation in OPERATIONS]
GENERATED += [(path, verb, "negative") for path, verb in OPERATIONS if verb == "post"]


def resolve_conflicts(case: Any) -> None:
    """Remove the options of a generated request that contradict each other, which a schema cannot express."""
    query = case.query or {}
    body = case.body if isinstance(case.body, dict) else {}
    for name in OPTION_NAMES:
        if name in query:
            body.pop(name, None)
    if (query | body).get("output") not in PHOTO_OUTPUTS:
        for options in (query, body):
            options.pop("format", None)


@pytest.mark.parametrize(("path", "verb", "mode"), GENERATED)
def test_responses_to_generated_requests_agree_with_the_document(
    document: Any, path: str, verb: str, mode: str
) -> None:
    operation = document[path][verb.upper()]

    @BOUNDED
    @given(operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
    def check(case: Any) -> None:
        if mode == "positive":
            resolve_conflicts(case)
        # A form is valid in two ways. Schemathesis breaks one of them, and reports that the function still accepts it.
        is_form = case.media_type == "multipart/form-data"
        case.call_and_validate(timeout=60, excluded_checks=[negative_data_rejection] if is_form else [])

    check()


@pytest.mark.parametrize("path", ["/", "/predict"])
def test_responses_to_arbitrary_bytes_agree_with_the_document(
    document: Any, http: httpx.Client, sample: bytes, path: str
) -> None:
    starts = st.sampled_from([b"", sample, sample[:700], PNG, TIFF])
    cuts = st.one_of(st.none(), st.integers(0, 1000))

    @BOUNDED
    @given(starts, cuts, st.binary(max_size=300))
    def check(start: bytes, cut: int | None, rest: bytes) -> None:
        document[path]["POST"].validate_response(http.post(path, content=start[:cut] + rest))

    check()


def test_the_document_has_the_routes_of_the_code_and_no_others() -> None:
    import main

    assert {(path, verb.upper()) for path, verb in OPERATIONS} == main.ROUTES.keys()


def test_the_document_has_the_options_of_the_code_and_their_values() -> None:
    from model import options

    parameters = DOCUMENT["components"]["parameters"]
    assert list(parameters) == list(options.OPTION_NAMES)
    assert [entry["$ref"].rpartition("/")[2] for entry in OPERATIONS["/", "post"]["parameters"]] == list(parameters)
    assert parameters["output"]["schema"]["enum"] == list(options.OUTPUT_NAMES)
    assert parameters["size"]["schema"]["enum"] == list(options.SIZES)


def test_the_document_has_the_statuses_and_codes_of_the_code() -> None:
    import main

    expected = {(status, code_of(error.__name__)) for error, status in main.STATUS.items()}
    expected |= {(404, "not-found"), (405, "method-not-allowed"), (500, "internal-error")}
    expected.add((415, "unsupported-media-type"))
    responses = DOCUMENT["components"]["responses"].values()
    problems = [response["content"]["application/problem+json"] for response in responses]
    examples = [(code, entry["value"]) for problem in problems for code, entry in problem["examples"].items()]
    assert {(value["status"], value["code"]) for _, value in examples} == expected
    for code, value in examples:
        assert value["code"] == code
        assert value["type"] == f"urn:silhouette:{code}"
        assert value["title"] == HTTP_STATUS_CODES[value["status"]]
    for path, successes in ("/", {200, 204}), ("/predict", {200}):
        assert {int(status) for status in OPERATIONS[path, "post"]["responses"]} == {*successes, *main.STATUS.values()}


def test_responses_to_unknown_paths_and_methods_are_in_the_document(http: httpx.Client) -> None:
    for response, name in ((http.get("/nowhere"), "NotFound"), (http.delete("/"), "MethodNotAllowed")):
        documented = DOCUMENT["components"]["responses"][name]
        assert response.headers["content-type"] in documented["content"]
        assert {header.lower() for header in documented["headers"]} <= set(response.headers)
        value = documented["content"]["application/problem+json"]["examples"][response.json()["code"]]["value"]
        assert response.json() | {"detail": ""} == value | {"detail": ""}


def test_the_examples_in_the_document_match_its_schemas() -> None:
    for operation in OPERATIONS.values():
        for status, response in operation["responses"].items():
            for media_type, media in response.get("content", {}).items():
                if "example" in media:
                    resolved = {"components": DOCUMENT["components"], **media["schema"]}
                    errors = jsonschema.Draft202012Validator(resolved).iter_errors(media["example"])
                    assert not list(errors), (status, media_type)


def test_the_function_serves_the_document_and_the_sample(http: httpx.Client, sample: bytes) -> None:
    assert http.get("/openapi.json").json() == DOCUMENT
    assert http.get("/sample.jpg").content == sample
    assert http.head("/openapi.json").headers["content-type"] == "application/json"
