"""The function for Azure Functions: one HTTP trigger for every path, protected by a function key."""

from __future__ import annotations

from pathlib import Path

import azure.functions as func
from functions_framework import create_app

# It would replace each response of status 500 and above by an exception, and so lose the code of the error and the
# Retry-After of 503.
func.WsgiMiddleware._handle_errors = lambda middleware, response: None

app = func.WsgiFunctionApp(
    create_app("run", str(Path(__file__).with_name("main.py"))), http_auth_level=func.AuthLevel.FUNCTION
)
