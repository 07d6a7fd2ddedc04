"""Benchmarks of the forum before and after the split: same data, same gateway, same load.

`make bench` runs `python -m bench`. `data` generates the content and loads it into both sides,
`comparison` alternates load between them, `wrk` creates the load, and `usage` measures CPU time and
memory. `growth` counts the database work of pages, `capacity` the consumed units of operations,
`availability` breaks a component under load, and `reporting` writes the results.
"""
