"""The handler for AWS Lambda: the function behind a function URL, API Gateway or a load balancer."""

from __future__ import annotations

import os
from pathlib import Path

from apig_wsgi import make_lambda_handler
from functions_framework import create_app

# Lambda accepts 6 MB of JSON in each direction (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html),
# in which a photo is base64: four bytes for three. The rest is for the headers.
MAX_BODY_BYTES = "4600000"
os.environ.setdefault("MAX_UPLOAD_BYTES", MAX_BODY_BYTES)
os.environ.setdefault("MAX_RESPONSE_BYTES", MAX_BODY_BYTES)

handler = make_lambda_handler(create_app("run", str(Path(__file__).with_name("main.py"))), binary_support=True)
