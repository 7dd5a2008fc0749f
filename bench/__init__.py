"""What is measured and printed, never asserted: figures belong to a machine, tests to the truth."""
