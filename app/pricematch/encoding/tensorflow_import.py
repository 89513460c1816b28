"""Imports TensorFlow, which trains encoders and runs those that OpenVINO cannot."""

import importlib
import logging
import os
from importlib.util import find_spec

from pricematch.errors import SettingsError


def check_tensorflow() -> None:
    """Raise SettingsError if TensorFlow is not installed, for callers that take long until they import it."""
    if find_spec("tensorflow") is None:
        raise SettingsError("this needs TensorFlow, which is not installed: pip install 'pricematch[train]'")


def import_tensorflow() -> None:
    """Import TensorFlow with file descriptor 2 silenced meanwhile, and let it log errors only.

    Its native code writes half a dozen lines there before any of its logging settings is read. Python's own messages
    are not lost, provided that `sys.stderr` writes elsewhere; the command line sees to that.

    Raises:
        SettingsError: it is not installed.
    """
    check_tensorflow()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept, silence = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        tensorflow = importlib.import_module("tensorflow")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)
    for logger in (tensorflow.get_logger(), logging.getLogger("absl")):
        logger.setLevel(logging.ERROR)
