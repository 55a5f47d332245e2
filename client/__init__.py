"""Python client of a Silhouette function: photo in, mask out.

    from client import Client  # once installed: from silhouette import Client

    with Client("http://127.0.0.1:8080") as silhouette:
        mask = silhouette.segment("photo.jpg")
        mask.array   # uint8 (H, W): the class id of each pixel
        mask.image   # the same as a Pillow image
        mask.png     # the PNG as the server sent it

`AsyncClient` has the same methods for asyncio. The command line is `python -m client` in a checkout and `silhouette`
once installed. The package is `client` in a checkout and `silhouette` once installed.
"""

from .async_client import AsyncClient
from .client import Client
from .errors import (
    AuthError,
    BadResponse,
    ClientError,
    EnvironmentVariableError,
    NotAllowed,
    PhotoError,
    ServerError,
    Stopped,
    Unreachable,
)
from .mask import Mask
from .options import Output, OutputFormat, OutputSize
from .photo import PhotoInput
from .result import SegmentResult
from .storage_event import EventOutcome, EventReceipt, finalized_event
from .tokens import AuthMode
from .version import __version__

__all__ = [
    "AsyncClient",
    "AuthError",
    "AuthMode",
    "BadResponse",
    "Client",
    "ClientError",
    "EnvironmentVariableError",
    "EventOutcome",
    "EventReceipt",
    "Mask",
    "NotAllowed",
    "Output",
    "OutputFormat",
    "OutputSize",
    "PhotoError",
    "PhotoInput",
    "SegmentResult",
    "ServerError",
    "Stopped",
    "Unreachable",
    "__version__",
    "finalized_event",
]
