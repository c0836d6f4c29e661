"""Image quality against a known truth, widths and visibility of vessels, calibration, MTF and noise power."""
