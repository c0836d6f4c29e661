"""Physics of the imaging chain: acquisition geometry, focal-spot and detector blur, noise."""
