"""What the door is compared with: a Flask route that reads the body and answers a constant. It keeps nothing."""

from flask import Flask, Response, request

ANSWER = b'{"alertId":"A4IM9K2MIYL9F2BPF9TWUIXTU","status":"success"}'


def create_app() -> Flask:
    """Build the application, for the door's own gunicorn settings."""
    app = Flask("bare", static_folder=None)

    @app.post("/push/ethoca")
    def push() -> Response:
        request.get_data()
        return Response(ANSWER, content_type="application/json")

    return app
