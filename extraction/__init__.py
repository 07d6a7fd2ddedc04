"""Live extraction of a domain and its reintegration: `make extract`, `make reintegrate`.

`docs/extracting.md` tells what each phase does and why it is safe.
"""
