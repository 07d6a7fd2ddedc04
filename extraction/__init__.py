"""Moving a domain, with its live data, out of the monolith and back: `make extract`, `make return`.

`docs/extracting.md` tells what each phase does and why it is safe.
"""
