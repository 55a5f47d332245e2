"""Text for a terminal."""

from __future__ import annotations

import logging
import re

# Control characters, line and paragraph separators, overrides of the text direction, and bytes that are not UTF-8.
UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def escape(text: str) -> str:
    r"""Return text as one line without characters that a terminal interprets; each becomes \uXXXX, as in JSON."""
    return UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class EscapingFormatter(logging.Formatter):
    """Formats the message of a log record as one safe line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the escaped message."""
        return escape(record.getMessage())
