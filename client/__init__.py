"""Ask a Silhouette function for the mask of a photo.

    from client import Client

    with Client("http://127.0.0.1:8080") as silhouette:
        mask = silhouette.segment("photo.jpg")
        mask.array   # uint8 (H, W): the class of each pixel
        mask.image   # the same, for Pillow
        mask.png     # the bytes as the server sent them

`AsyncClient` is the same for asyncio. `python -m client` is the same for the command line.
"""

from client.async_client import AsyncClient
from client.client import Client
from client.errors import (
    AuthError,
    BadAnswer,
    ClientError,
    NotAllowed,
    PhotoError,
    ServerError,
    Stopped,
    Unreachable,
)
from client.mask import Mask
from client.result import Answer

__all__ = [
    "Answer",
    "AsyncClient",
    "AuthError",
    "BadAnswer",
    "Client",
    "ClientError",
    "Mask",
    "NotAllowed",
    "PhotoError",
    "ServerError",
    "Stopped",
    "Unreachable",
]
