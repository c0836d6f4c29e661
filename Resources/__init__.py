"""Bundled models and the simulated sample run; data only, found by DSADeblurLib.paths."""
