"""The contracts: whatever crosses a border of the pipeline, and nothing of ours that it would have to import."""
