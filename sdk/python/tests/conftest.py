"""Tests against a running server: NQ_SERVER_ADDR says where; without it they are skipped."""

import os
import uuid

import pytest

import neuroquantum


@pytest.fixture(scope="session")
def address():
    address = os.environ.get("NQ_SERVER_ADDR")
    if not address:
        pytest.skip("NQ_SERVER_ADDR is not set")
    return address


@pytest.fixture
def client(address):
    with neuroquantum.connect(address, timeout=30) as client:
        yield client


@pytest.fixture
def name():
    """A name that no other test uses."""
    return "py_" + uuid.uuid4().hex[:12]
