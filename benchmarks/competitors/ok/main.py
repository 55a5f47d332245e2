"""A function that returns "ok": the cost of functions-framework itself."""

import flask
import functions_framework


@functions_framework.http
def run(request: flask.Request) -> str:
    """Read the request body."""
    request.get_data()
    return "ok"
