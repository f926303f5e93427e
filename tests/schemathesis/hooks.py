"""Authentication for Schemathesis: signs in as the demo's admin, who may call every operation."""

import os

import requests
import schemathesis

ADDRESS = os.environ["GAPLESS_URL"]
ADMIN = {"username": "admin", "password": "admin"}


# Cases end sessions, including their own, so a new token is fetched long before it expires.
@schemathesis.auth(refresh_interval=5)
class AdminToken:
    def get(self, case, context):
        answer = requests.post(f"{ADDRESS}/auth/login", json=ADMIN, timeout=10)
        answer.raise_for_status()
        return answer.json()["access_token"]

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"
