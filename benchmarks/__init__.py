"""What `make bench` runs: the product's work, measured beside a limit on the same machine in the same minutes."""
