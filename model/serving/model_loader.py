"""Loading the model of this instance, with retries in the background while it cannot be downloaded."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from model.errors import ModelError, ModelNotFound
from model.gcs import download
from model.serving import cloud_logging
from model.serving.settings import Settings

if TYPE_CHECKING:
    from model.segmenter import Segmenter

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 60.0  # between attempts; the pause doubles


def open_segmenter(settings: Settings) -> Segmenter:
    """Load the model at `settings.model_uri`, which is downloaded if necessary, with the limits of the settings.

    Args:
        settings: The settings.

    Returns:
        The segmenter.

    Raises:
        ModelNotFound: If there is no such file, or it cannot be downloaded.
        ModelRejected: If the file is not a model that can be served, its checksum is not `settings.model_sha256`, or
            the URI has an unknown form.
    """
    get_file = download.start(settings.model_uri, settings.model_sha256, settings.model_fetch_timeout_s)
    with ThreadPoolExecutor(1) as executor:
        fetched = executor.submit(get_file)  # neither a checksum nor a download holds the GIL during the imports
        from model.segmenter import Segmenter

        model_file = fetched.result()
    return Segmenter(
        model_file.path,
        model_file.sha256,
        interpreters=settings.interpreters,
        wait_limit_s=settings.wait_limit_s,
        max_pixels=settings.max_pixels,
        generation=model_file.generation,
    )


class ModelLoader:
    """Loads the model once. While it cannot be downloaded, a request starts the next attempt in the background.

    A downloaded file that is rejected, for its content or its checksum, is not downloaded again.
    """

    def __init__(self, settings: Settings) -> None:
        """Load the model, or make the first attempt to.

        Args:
            settings: MODEL_URI and all that the model's segmenter needs.

        Raises:
            ModelNotFound: If MODEL_URI is a path without a file; a retry could not succeed.
            ModelRejected: If the file is not a model that can be served, its checksum is not MODEL_SHA256, or MODEL_URI
                has an unknown form.
        """
        self._settings = settings
        self._gcs_uri = download.parse_gcs_uri(settings.model_uri)
        self._segmenter: Segmenter | None = None
        self._lock = threading.Lock()  # guards the four attributes below
        self._is_loading = False
        self._error: ModelError | None = None
        self._pause_s, self._next_attempt = FIRST_PAUSE_S, 0.0
        try:
            self._segmenter = self._load()
        except ModelNotFound as error:
            if not self._gcs_uri:
                raise
            self._record_failure(error)

    @property
    def loaded(self) -> Segmenter | None:
        """The model; None until it is loaded."""
        return self._segmenter

    def segmenter(self) -> Segmenter:
        """Return the model, without waiting. If it is not loaded, start another attempt unless it is too early.

        No attempt follows one that rejected the model.

        Raises:
            ModelNotFound: If the model could not be downloaded yet.
            ModelRejected: If the downloaded file is not a model that can be served.
        """
        if self._segmenter is not None:
            return self._segmenter
        with self._lock:
            if self._error is not None and not isinstance(self._error, ModelNotFound):
                raise type(self._error)("the model cannot be served; the function's log states why")
            start_attempt = not self._is_loading and time.monotonic() >= self._next_attempt
            self._is_loading |= start_attempt
        if start_attempt:
            threading.Thread(target=self._retry, daemon=True).start()
        raise ModelNotFound("the model is not loaded yet; retry in a moment")

    def _retry(self) -> None:
        try:
            self._segmenter = self._load()
        except ModelError as error:
            self._record_failure(error)
        finally:
            with self._lock:
                self._is_loading = False

    def _load(self) -> Segmenter:
        segmenter = open_segmenter(self._settings)
        self._log_model(segmenter)
        return segmenter

    def _record_failure(self, error: ModelError) -> None:
        with self._lock:
            self._error = error
            self._next_attempt = time.monotonic() + random.uniform(self._pause_s / 2, self._pause_s)
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        cloud_logging.write("ERROR", str(error))

    def _log_model(self, segmenter: Segmenter) -> None:
        """Log the version of a downloaded model, and anything unusual about any model."""
        card = segmenter.card
        notes = list(segmenter.notes)
        if card.source != "embedded":
            notes.append(f"the file has no model card; its card is {card.source}; GET / shows it")
        elif segmenter.model.sources["mean"] == "default":
            notes.append("the model card does not state mean and std, which are assumed; GET / shows them")
        if notes or self._gcs_uri:
            model = f"model {card.name}, version {card.version}, sha256 {segmenter.sha256[:12]}"
            cloud_logging.write("WARNING" if notes else "INFO", "; ".join([model, *notes]))
