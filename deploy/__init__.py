"""How it runs: the embedded stack of `make run`, and the files for servers, images and clusters."""
