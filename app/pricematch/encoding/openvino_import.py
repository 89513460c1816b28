"""Imports OpenVINO without its converter of models.

Importing the converter reports the use of OpenVINO to its makers, over the network and from a process of its own,
unless a file in the home folder forbids it; and it takes as long as all the rest.
"""

import sys

sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]  # as if it were not installed

import openvino  # noqa: E402
from openvino import opset13 as opset  # noqa: E402

__all__ = ["openvino", "opset"]
