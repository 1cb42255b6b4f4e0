"""The API over HTTP: who may ask, what is asked, and how it is answered."""
