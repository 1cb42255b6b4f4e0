"""The container images: one Dockerfile and one hash-locked requirements file for each part that runs by itself."""
