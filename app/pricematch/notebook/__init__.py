"""The Python API of notebooks and scripts: a catalogue file or data frame, and questions about it without a service."""
