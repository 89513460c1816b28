"""The matcher: an index of a catalogue, queries, results. No encoder, no files."""
