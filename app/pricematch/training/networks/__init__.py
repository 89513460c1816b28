"""The trainable networks."""
