"""Learns a pair model, its calibration and its thresholds from label groups."""
