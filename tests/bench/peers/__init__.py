"""The peers: the same model behind other servers, each written as its documentation advises and set up for speed.

These files run in environments that do not hold Tuneloop: they import their server, ONNX Runtime and `graph.py`.
"""
