"""What is logged, in lines that no request can forge."""
