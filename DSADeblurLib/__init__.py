"""Focal-spot deblurring of digital subtraction angiography: the science, in plain Python. Research use only."""

__version__ = "0.1.0"
