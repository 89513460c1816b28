"""Imports TensorFlow without its start-up chatter."""

import importlib
import os


def import_tensorflow() -> None:
    """Import TensorFlow with file descriptor 2 silenced meanwhile.

    Its native code writes half a dozen lines there before any of its logging settings is read. Python's own messages
    are not lost, provided that `sys.stderr` writes elsewhere; the command line sees to that.
    """
    kept, silence = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        importlib.import_module("tensorflow")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)
