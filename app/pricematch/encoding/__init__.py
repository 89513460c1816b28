"""From the bytes of an image to its features: decoder, perceptual hash, colours, encoders."""
