"""What a catalogue holds, found out before anything is trained on it: the facts that `pricematch explore` shows."""
