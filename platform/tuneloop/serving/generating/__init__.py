"""Text token by token on ONNX Runtime: NumPy and a cache of keys and values, never torch."""
