"""Training of restoration networks on simulated pairs."""
