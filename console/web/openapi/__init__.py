"""The description of the API, OpenAPI 3.1: what every part of it can be asked, and answers."""
