"""`tautune.measure_thresholds`: the stability threshold of any model at every delay, in this process, without Ray."""
