"""The one model of this instance, or the reason why there is none yet."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from model.errors import ModelError, ModelNotFound
from model.gcs import download
from model.serving import cloud_logging
from model.serving.settings import Settings

if TYPE_CHECKING:
    from model.segmenter import Segmenter

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 60.0  # between attempts; they double


class Loader:
    """Loads the model once. One that could not be fetched is fetched anew in the background as requests ask for it."""

    def __init__(self, settings: Settings) -> None:
        """Load the model; from Cloud Storage, within the time that the settings give.

        raises: ModelRejected; ModelNotFound for a path, since nothing will come to lie there
        """
        self._settings = settings
        self._segmenter: Segmenter | None = None
        self._lock = threading.Lock()
        self._under_way = False
        self._pause_s, self._not_before = FIRST_PAUSE_S, 0.0
        self._error: ModelError | None = None
        try:
            self._load()
        except ModelNotFound as error:
            if not download.is_remote(settings.model_uri):
                raise
            self._failed(error)

    def ready(self) -> Segmenter | None:
        """Give the model if it is here."""
        return self._segmenter

    def segmenter(self) -> Segmenter:
        """Give the model at once, or say at once that there is none, and see to another attempt.

        raises: ModelNotFound, ModelRejected
        """
        if self._segmenter is not None:
            return self._segmenter
        with self._lock:
            begin = not self._under_way and time.monotonic() >= self._not_before
            self._under_way |= begin
            error = self._error
        if begin:
            threading.Thread(target=self._again, daemon=True).start()
        if isinstance(error, ModelError) and not isinstance(error, ModelNotFound):
            raise type(error)("the model cannot be served here; the log says why")
        raise ModelNotFound("the model is not here yet; try again in a moment")

    def _again(self) -> None:
        try:
            self._load()
        except ModelError as error:
            self._failed(error)
        finally:
            with self._lock:
                self._under_way = False

    def _load(self) -> None:
        settings = self._settings
        found = None
        if download.is_remote(settings.model_uri):
            fetch = download.Fetch(settings.model_uri, settings.model_sha256, settings.model_fetch_timeout_s)
            from model.segmenter import Segmenter  # while the model is on its way

            found = fetch.wait()
        from model.segmenter import Segmenter

        segmenter = Segmenter(settings, found)
        self._say_what(segmenter)
        self._segmenter = segmenter

    def _failed(self, error: ModelError) -> None:
        with self._lock:
            self._error = error
            self._not_before = time.monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        cloud_logging.write("ERROR", str(error))

    def _say_what(self, segmenter: Segmenter) -> None:
        """Log what is out of the ordinary about the model, and which version came from Cloud Storage."""
        card = segmenter.card
        notes = list(segmenter.notes)
        if card.source != "embedded":
            notes.append(f"it has no card of its own: what it means is {card.source}; GET / shows it")
        if notes or download.is_remote(self._settings.model_uri):
            about = f"model {card.name}, version {card.version}, sha256 {segmenter.sha256[:12]}"
            cloud_logging.write("WARNING" if notes else "INFO", "; ".join([about, *notes]))
