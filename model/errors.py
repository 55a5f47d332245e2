"""Everything that can go wrong, as one tree that knows no HTTP.

SilhouetteError
|- PhotoError        the caller's photo or options
|  |- EmptyBody, NotAPhoto, BrokenPhoto, PhotoTooLarge, UploadTooSlow, BadOption
|- ModelError        the model, or the runtime that runs it
|  |- ModelNotFound, ModelRejected, InferenceFailed
|- Busy              too many requests at once
|- BadEvent          a storage event that cannot be read
`- StorageFailed     Cloud Storage does not do its part now
"""

from __future__ import annotations


class SilhouetteError(Exception):
    """The root. Its text is for the caller: what is wrong, and nothing of the inside."""


class PhotoError(SilhouetteError):
    """The request is at fault; sending it again changes nothing."""


class EmptyBody(PhotoError):
    """No photo came."""


class NotAPhoto(PhotoError):
    """The bytes are of no image format that is read here."""


class BrokenPhoto(PhotoError):
    """The format is known, but the image is truncated or damaged."""


class PhotoTooLarge(PhotoError):
    """The upload has too many bytes, or the image too many pixels."""


class UploadTooSlow(PhotoError):
    """The photo was not here in time."""


class BadOption(PhotoError):
    """An option has an unknown name or an impossible value."""


class ModelError(SilhouetteError):
    """The model is at fault, whatever the photo."""


class ModelNotFound(ModelError):
    """Nothing is where the model should be, or it cannot be reached now."""


class ModelRejected(ModelError):
    """The file is there, but no segmentation model that this runtime can serve."""


class InferenceFailed(ModelError):
    """The runtime gave up on a tensor that fits the model."""


class Busy(SilhouetteError):
    """No interpreter came free within the time a request may wait."""


class BadEvent(SilhouetteError):
    """An event came that is no whole CloudEvent about an object."""


class StorageFailed(SilhouetteError):
    """A photo cannot be read, or a mask not be written, for reasons that may pass."""


def code_of(name: str) -> str:
    """Turn a class's name into a code: NotAPhoto into not-a-photo."""
    return "".join("-" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("-")
