"""The TensorFlow rim: networks, input pipeline, fitting, export."""
