"""Benchmarks of the forum before and after the split: same data, same gateway, same load.

`make bench` runs `python -m bench`. `content` generates the data, `fill_sql` and `fill_tables` load
it, `wrk` creates load, `usage` measures CPU time and memory, `growth` counts the database work of
pages, `availability` breaks a component under load, `report` and `plot` write the results.
"""
