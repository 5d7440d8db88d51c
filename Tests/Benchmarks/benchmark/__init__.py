"""What Culvert's benchmarks are made of: processes, the two chains, loads, rows, the table."""
