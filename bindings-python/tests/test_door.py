"""The door: importing does nothing, secrets do not show, handles are not data."""

import pickle
import subprocess
import sys

import pytest

import nbhd


def test_importing_starts_no_thread():
    program = "import os, nbhd; print(len(os.listdir('/proc/self/task')))"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "1"


def test_a_secret_shows_nothing():
    secret = nbhd.Secret("canary-0123456789")
    assert repr(secret) == str(secret) == "Secret(***)"
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(secret)


def test_a_wrong_address_is_a_clear_error():
    with pytest.raises(nbhd.InvalidConfig) as caught:
        nbhd.Host("nowhere:")
    assert caught.value.code == "invalid_config"
    assert caught.value.outcome == "not_sent"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.code, str(again)) == (caught.value.code, str(caught.value))


def test_the_private_network_is_what_the_program_trusts():
    with pytest.raises(nbhd.InvalidConfig):
        nbhd.Host("memory:", private_hosts=["*"])
    assert nbhd.Host("memory:").private_hosts == []
    host = nbhd.Host("memory:", private_hosts=["*.Corp.example", "10.1.2.3:8443"])
    assert host.private_hosts == ["*.corp.example", "10.1.2.3:8443"]
    with pytest.raises(nbhd.AddressDenied):
        host.secure_request({"url": "https://10.1.2.3/"}, hosts=["10.1.2.3"])
