"""Image quality against a known truth, widths and visibility of vessels, MTF and noise power."""
