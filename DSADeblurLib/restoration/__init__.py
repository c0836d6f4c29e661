"""Networks, model packages, tiles, engines and classical baselines that remove focal-spot blur.

Only names that do not need torch are exported here; import the others from their module.
"""

from DSADeblurLib.restoration.normalisation import Normalisation, fit_normalisation, from_working, to_working

__all__ = ["Normalisation", "fit_normalisation", "from_working", "to_working"]
