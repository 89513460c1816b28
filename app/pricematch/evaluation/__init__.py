"""How well signals and matchers find the label groups of a catalogue, and what a catalogue holds."""
