"""What a shop in a notebook gives back when it ends."""

import shutil
import tempfile
import threading
from os import PathLike
from pathlib import Path

from pricematch.formats.atomic_writes import make_folder
from pricematch.notebook.background import BackgroundService
from pricematch.store.folder import PRIVATE_FOLDER


class Kept:
    """What a shop has to give back: a folder, if it is temporary, and a service, if it runs.

    Attributes:
        folder: that everything is kept in.
        service: in the background; None where none runs.
    """

    def __init__(self, folder: Path, *, temporary: bool) -> None:
        self.folder, self._temporary = folder, temporary
        self.service: BackgroundService | None = None
        self.closed, self.lock = False, threading.Lock()

    def stop(self) -> None:
        """End the service, if one runs."""
        service, self.service = self.service, None
        if service is not None:
            service.close()

    def close(self) -> None:
        """End the service and remove a temporary folder."""
        with self.lock:
            self.closed = True
            self.stop()
        self._remove()

    def abandon(self) -> None:
        """The same for a shop that nobody holds any more, without waiting.

        When the interpreter ends, no thread can be started, and the worker processes end by themselves.
        """
        if threading.main_thread().is_alive() and self.service is not None:
            threading.Thread(target=self.close, name="pricematch", daemon=True).start()
        else:
            self._remove()

    def _remove(self) -> None:
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)


def kept_in(folder: "str | PathLike[str] | None") -> Kept:
    """What is kept in a folder, made if absent, or in a temporary one where none is named; raises SettingsError."""
    if folder is None:
        return Kept(Path(tempfile.mkdtemp(prefix="pricematch-")), temporary=True)
    make_folder(Path(folder), PRIVATE_FOLDER)
    return Kept(Path(folder), temporary=False)
