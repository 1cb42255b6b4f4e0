"""The route: parse the alert, publish its task, answer. It checks no header and seals nothing."""

from flask import Flask, Response, jsonify, request

from tests.bench.celery_per_alert.tasks import store_alert


def create_app() -> Flask:
    """Build the application, for the door's own gunicorn settings."""
    app = Flask("per_alert", static_folder=None)

    @app.post("/push/ethoca")
    def push() -> Response:
        alert = request.get_json()
        store_alert.delay(alert)
        return jsonify(alertId=alert["alertId"], status="success")

    return app
