"""One third-party library or file format per module; implements the ports of `app.matching.ports`."""
