"""Fuzzing, by `make fuzz`: FUZZ_SECONDS each."""
