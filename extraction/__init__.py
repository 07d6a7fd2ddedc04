"""Live extraction of a domain and its reintegration: `make extract`, `make reintegrate`.

`docs/extracting.md` describes each phase and why it is safe.
"""
