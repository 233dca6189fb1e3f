"""A training or an evaluation as a process of its own, and the queue of them."""
