"""Training of restoration networks on simulated pairs, and their evaluation on held-out ones."""
