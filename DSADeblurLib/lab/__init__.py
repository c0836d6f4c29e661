"""The laboratory: simulation, training, evaluation and image quality. It imports the product, never the reverse."""
