"""One prediction on many machines: the parts of a job, over Ray Data."""
