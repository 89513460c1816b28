"""How well signals find the label groups of a catalogue."""
