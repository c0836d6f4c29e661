"""Derived objects: what is written of a result, how it is put into a file, and copies without identity."""
