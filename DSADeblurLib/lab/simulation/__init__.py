"""Simulated angiography: vessels, anatomy and devices, acquired with a large and with a micro focal spot."""
