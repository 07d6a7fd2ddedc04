"""Measures the forum before and after the split: same data, same gateway, same load.

`python -m bench`, which is what `make bench` does. `content` is what both are filled with, `fill`
brings it there, `wrk` loads, `usage` tells what it cost, `growth` counts what pages ask of the
databases, `availability` breaks a part under load, `report` and `plot` write down what came of it.
"""
