"""A clock that tests set."""


class Clock:
    """Tells the time it is given."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now
