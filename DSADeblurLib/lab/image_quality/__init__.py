"""Image quality against a known truth: similarity, MTF, noise power, and what is left of thin faint vessels."""
