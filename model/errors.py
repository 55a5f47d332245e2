"""The exceptions that the function raises. They know nothing of HTTP; main.py maps each to a status.

SilhouetteError
|- PhotoError           the request is invalid: its photo or its options
|  |- EmptyBody         it contains no photo
|  |- NotAPhoto         the data is not an image in a supported format
|  |- BrokenPhoto       the image is truncated or damaged
|  |- PhotoTooLarge     too many bytes or too many pixels
|  |- ResponseTooLarge  the output has more bytes than the platform can send
|  |- UploadTooSlow     the body did not arrive in time
|  `- BadOption         an unknown option or an invalid value
|- ModelError           the model cannot be used
|  |- ModelNotFound     its file does not exist or cannot be downloaded
|  |- ModelRejected     its file is not a segmentation model that this runtime can run
|  `- InferenceFailed   the runtime failed on a valid input
|- Busy                 no interpreter became free in time, or there is not enough memory now
|- BadEvent             a malformed storage event
`- StorageFailed        Cloud Storage is temporarily unavailable

The name of a class is also its public error code: NotAPhoto is `not-a-photo`.
"""

from __future__ import annotations


class SilhouetteError(Exception):
    """The base class. The message goes to the caller: what is wrong and what to do, without internal details."""


class PhotoError(SilhouetteError):
    """The request is invalid; sending it again gives the same error."""


class EmptyBody(PhotoError):
    """The request contains no photo."""


class NotAPhoto(PhotoError):
    """The data is not an image in a supported format."""


class BrokenPhoto(PhotoError):
    """The image is in a supported format, but truncated or damaged."""


class PhotoTooLarge(PhotoError):
    """The upload has too many bytes, or the image too many pixels."""


class ResponseTooLarge(PhotoError):
    """The output has more bytes than the platform can send in one response."""


class UploadTooSlow(PhotoError):
    """The request body did not arrive within the time limit."""


class BadOption(PhotoError):
    """An option has an unknown name or an invalid value."""


class ModelError(SilhouetteError):
    """The model cannot be used, whatever the photo."""


class ModelNotFound(ModelError):
    """The model's file does not exist, or cannot be downloaded at the moment."""


class ModelRejected(ModelError):
    """The file is not a segmentation model that this runtime can run."""


class InferenceFailed(ModelError):
    """The runtime failed on an input tensor that matches the model."""


class Busy(SilhouetteError):
    """No interpreter became free within the time that a request may wait, or there is not enough memory now."""


class BadEvent(SilhouetteError):
    """The event is not a complete CloudEvent about a Cloud Storage object."""


class StorageFailed(SilhouetteError):
    """A photo could not be read, or a mask not be written, because of a transient error of Cloud Storage."""


def code_of(name: str) -> str:
    """Return the error code for a class name: `not-a-photo` for NotAPhoto."""
    return "".join("-" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("-")
