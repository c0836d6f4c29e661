"""`python -m DSADeblurLib` is the same as `dsadeblur`."""

from DSADeblurLib.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
