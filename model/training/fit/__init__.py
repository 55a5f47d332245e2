"""Fitting the network.

`schedule` plans a run, `initial_weights` loads what it starts from, `trainer` has the training loop, with its `losses`,
and `history` records its results.
"""
