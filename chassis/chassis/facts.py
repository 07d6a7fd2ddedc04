"""What never changes, remembered by a process that read it once."""

MOST = 20_000


class Facts:
    """Facts by what they are about, such as the author of a thread; the latest are kept.

    Only for what can't become wrong: nothing here is ever looked up again.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._facts: dict[str, str] = {}

    def get(self, about: str) -> str | None:
        """Give a fact, if it is known."""
        return self._facts.get(about)

    def keep(self, about: str, fact: str) -> None:
        """Remember a fact."""
        if len(self._facts) >= self._most:
            # Half of it, the older one; replaced as a whole, since others may be reading.
            self._facts = dict(list(self._facts.items())[self._most // 2 :])
        self._facts[about] = fact
