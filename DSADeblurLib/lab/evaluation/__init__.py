"""`dsadeblur evaluate`: models against classical methods on held-out simulated frames and in simulated phantoms."""
