"""Draws the sample catalogue of the demo and the tests from a seed."""
