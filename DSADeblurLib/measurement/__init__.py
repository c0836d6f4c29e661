"""Image quality against a known truth, and widths of vessels."""
