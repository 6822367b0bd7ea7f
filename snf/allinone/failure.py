"""How the all-in-one fails: one line that says what to do, and where the log is."""

from pathlib import Path


class Failure(Exception):
    """Something cannot go on; the text is one line for the person at the terminal."""

    def __init__(self, text: str, log: Path | None = None) -> None:
        super().__init__(f"{text} (log: {log})" if log else text)
