"""How an opcode of the simulated cluster fails."""


class OpFailure(Exception):
    """An opcode that fails; ``result`` is how Ganeti writes that down."""

    def __init__(self, kind: str, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.result = [kind, [text] if code is None else [text, code]]
