"""Answer "ok": what functions-framework itself costs, the floor of every comparison."""

import flask
import functions_framework


@functions_framework.http
def run(request: flask.Request) -> str:
    """Read the upload, and say ok."""
    request.get_data()
    return "ok"
