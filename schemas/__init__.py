"""The contracts: whatever crosses a border of the pipeline, and what its parts share. They import none of ours."""
