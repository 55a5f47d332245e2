"""Fitting the network: the `schedule` of a run, the training loop in `trainer`, its `losses` and its `history`."""
