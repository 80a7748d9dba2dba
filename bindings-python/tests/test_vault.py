"""Secrets, vault, redaction, audit and runs through the binding."""

import json
import os

import nbhd
import pytest

OLD = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
NEW = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
PLACE = {"tenant": "42", "provider": "example", "account": "a", "field": "key"}


def secret_file(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_secret_tells_its_source_and_its_fingerprint(tmp_path, monkeypatch):
    monkeypatch.setenv("NBHD_TEST_SECRET", "sk-canary-0123456789")
    good = secret_file(tmp_path / "good", "sk-canary-abcdefghij\n")
    unset, nothing = nbhd.Secret.env("NBHD_TEST_UNSET"), nbhd.Secret.mounted(tmp_path / "nothing")
    chain = nbhd.Secret.chain([unset, nothing, nbhd.Secret.file(good)])
    assert chain.status() == {"source": f"file {good}", "fingerprint": "sk-…ghij"}
    assert nbhd.Secret.env("NBHD_TEST_SECRET").status()["fingerprint"] == "sk-…6789"
    assert nbhd.Secret("short").status() == {"source": "given by the program", "fingerprint": "***"}
    with pytest.raises(nbhd.SecretMissing, match="is not set"):
        unset.status()
    with pytest.raises(nbhd.SecretMissing):
        nbhd.Secret.keyring("nbhd-test", "surely-not-there").status()
    group = secret_file(tmp_path / "group", "sk-canary-0123456789", 0o640)
    assert nbhd.Secret.group_file(group).status()["fingerprint"] == "sk-…6789"
    with pytest.raises(nbhd.SecretMissing, match="chmod 600"):
        nbhd.Secret.chain([nbhd.Secret.file(group), nbhd.Secret.file(good)]).status()


def test_the_vault_seals_for_a_place_and_rotates(tmp_path):
    keys = secret_file(tmp_path / "keys", OLD)
    vault = nbhd.Host("memory:", vault_key=nbhd.Secret.file(keys)).vault
    sealed = vault.seal("canary größer", **PLACE)
    assert "canary" not in sealed and vault.open(sealed, **PLACE) == "canary größer"
    assert vault.seal(nbhd.Secret("canary"), field="x") != vault.seal("canary", field="x")
    for wrong in ({**PLACE, "tenant": "43"}, {**PLACE, "field": "other"}):
        with pytest.raises(nbhd.InvalidState):
            vault.open(sealed, **wrong)
    with pytest.raises(nbhd.InvalidState):
        vault.open(sealed[:-2], **PLACE)
    assert vault.reseal(sealed, **PLACE) is None
    old = vault.status()["key_id"]
    keys.write_text(f"{NEW},{OLD}")
    assert vault.reload()["opens"][1] == old
    again = vault.reseal(sealed, **PLACE)
    assert old not in again and vault.open(again, **PLACE) == "canary größer"
    assert vault.open(sealed, **PLACE) == "canary größer"


def test_what_nbhd_sealed_does_not_open_for_the_program():
    class Rows(dict):
        def load(self, provider, account):
            return self.get(account)

        def save(self, provider, account, record, previous):
            self[account] = record
            return True

    rows = Rows()
    host = nbhd.Host("memory:", vault_key=nbhd.Secret(OLD), tokens=rows)
    stand_in = nbhd.testkit.Google()
    stand_in.client(host).account("tenant-42").gmail.list_messages(limit=1)
    record = json.loads(rows["tenant-42"])
    for field in ("refresh_token", "access_token"):
        for sealed in (record[field], record[field].replace("nbhd1.", "nbhd1p.", 1)):
            with pytest.raises(nbhd.InvalidState):
                host.vault.open(sealed, tenant="tenant-42", provider="google", account="tenant-42", field=field)


def test_redaction():
    assert nbhd.redact("key sk-proj-0123456789 and größer") == "key *** and größer"
    assert nbhd.redact("größer als", limit=6) == "größe…"


def test_every_block_leaves_one_audit_event(tmp_path):
    path = tmp_path / "audit.jsonl"
    host = nbhd.Host("memory:", audit_file=path, sync_files=True)
    parameters = {"to": "canary", "nested": {"n": [1, None]}}
    with host.audited("canary", "mail.send", parameters):
        pass
    with pytest.raises(nbhd.InvalidInput), host.audited("canary", "mail.send", parameters):
        nbhd.listener_exposure("canary")
    with pytest.raises(KeyError), host.audited("canary", "mail.send"):
        raise KeyError("canary")
    entry = host.audited("canary", "mail.send")
    assert entry.end()["outcome"] == "ok"
    with pytest.raises(nbhd.InvalidState):
        entry.end()
    del entry
    host.audited("canary", "mail.send")
    events = host.audit()
    assert [event["outcome"] for event in events] == ["ok", "invalid_input", "internal", "ok", "cancelled"]
    assert events[0]["parameters_hash"] == nbhd.parameters_hash(parameters) != events[2]["parameters_hash"]
    assert {event["actor"] for event in events} == {nbhd.actor_fingerprint("canary")}
    text = path.read_text()
    assert [json.loads(line) for line in text.splitlines()] == events
    assert "canary" not in text and os.stat(path).st_mode & 0o777 == 0o600


def test_a_run_leaves_its_record_however_it_ends(tmp_path):
    host = nbhd.Host("memory:", runs_file=tmp_path / "runs.jsonl")
    with host.run("brief", "nightly") as run:
        run.add_artifact("out/brief.md")
    with pytest.raises(ValueError), host.run("brief", "nightly") as failed:
        failed.add_artifact(tmp_path / "half.md")
        raise ValueError("canary")
    records = host.runs()
    assert [record["status"] for record in records] == ["running", "succeeded", "running", "failed"]
    assert records[1]["artifact_paths"] == ["out/brief.md"] and records[1]["id"] == run.id
    assert records[3]["error_class"] == "internal" and records[3]["finished_at"]
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 4
    unwritable = nbhd.Host("memory:", runs_file=tmp_path / "nowhere" / "runs.jsonl")
    with pytest.raises(nbhd.StoreUnavailable):
        unwritable.run("brief", "nightly")


def test_listeners():
    assert nbhd.listener_exposure("127.0.0.1:80") == "loopback"
    assert nbhd.listener_exposure("0.0.0.0:80") == "public"
