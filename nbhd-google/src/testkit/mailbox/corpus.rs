//! Mail that nobody here wrote, and folders that are wrong.
#![allow(clippy::disallowed_methods, reason = "tests make and read files")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use chrono::{TimeZone, Utc};
use nbhd_core::Code;

use super::Mailbox;

fn fixtures() -> Option<PathBuf> {
    let found = nbhd_core::testkit::shared_fixtures();
    if found.is_none() {
        println!("skipped: shared fixtures are not here");
    }
    found
}

/// A fresh folder that is gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nbhd-mailbox-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with(self, name: &str, content: &[u8]) -> Self {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_message_of_the_corpus_is_found() {
    let Some(fixtures) = fixtures() else { return };
    let mime = fixtures.join("mime");
    let mailbox = Mailbox::load(&mime).unwrap();
    let report = mailbox.report();
    let rows = fs::read_to_string(mime.join("consensus.jsonl")).unwrap();
    let mut missing = Vec::new();
    let mut parsed = 0;
    let mut skipped = Vec::new();
    let (mut same, mut other) = (0, Vec::new());
    for row in rows.lines() {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let file = mime.join(row["file"].as_str().unwrap()).display().to_string();
        let message = mailbox.messages().iter().find(|message| message.source == file);
        if let Some(message) = message {
            parsed += 1;
            // The date that at least three of four independent parsers read.
            if let Some(date) = row["agree"]["date"].as_i64() {
                if message.internal_date_ms == date * 1000 {
                    same += 1;
                } else {
                    other.push((row["file"].clone(), date, message.internal_date_ms));
                }
            }
        } else if let Some(skip) = report.skipped.iter().find(|skip| skip.path == file) {
            assert!(!skip.reason.is_empty());
            skipped.push((row["file"].clone(), skip.reason.clone()));
        } else {
            missing.push(file);
        }
    }
    println!("{parsed} parsed, {skipped:?} skipped; dates: {same} same, {other:?} other");
    assert!(missing.is_empty(), "neither parsed nor skipped: {missing:?}");
    assert_eq!(parsed + skipped.len(), 145);
    // The one text without a header, `cpython/msg_19.txt`.
    assert!(skipped.len() <= 1, "{skipped:?}");
    assert!(other.is_empty(), "dates differ from the consensus: {other:?}");
    assert_eq!(
        report.found,
        report.parsed + report.skipped.iter().filter(|skip| skip.number.is_some()).count()
    );
    let ids: BTreeSet<&str> = mailbox
        .messages()
        .iter()
        .map(|message| message.id.as_str())
        .collect();
    assert_eq!(ids.len(), mailbox.messages().len());
}

#[test]
fn each_folder_and_mbox_of_the_corpus_loads() {
    let Some(fixtures) = fixtures() else { return };
    let mime = fixtures.join("mime");
    for (name, least) in [
        ("cpython", 40),
        ("mimekit/messages", 25),
        ("mimekit/partial", 7),
        ("nodemailer-mailparser", 10),
        ("postal-mime", 5),
        ("stalwart-mail-parser", 50),
    ] {
        let mailbox = Mailbox::load(mime.join(name)).unwrap();
        assert!(
            mailbox.messages().len() >= least,
            "{name}: {:?}",
            mailbox.report()
        );
    }
    // As many as MimeKit's own summaries of these files list; the other two say it in their text.
    for (name, count) in [
        ("simple.mbox.txt", 3),
        ("content-length.mbox.txt", 29),
        ("unmunged.mbox.txt", 2),
        ("issue1189.mbox.txt", 4),
    ] {
        let mailbox = Mailbox::load(mime.join("mimekit/mbox").join(name)).unwrap();
        assert_eq!(mailbox.messages().len(), count, "{name}: {:?}", mailbox.report());
        assert_eq!(mailbox.report().sources[0].format, "mbox");
    }
}

#[test]
fn a_maildir_gives_labels_by_flag_and_folder() {
    let mail = |subject: &str| {
        format!("From: a@example.com\nTo: me@example.com\nSubject: {subject}\n\nx\n").into_bytes()
    };
    let folder = Folder::new("maildir")
        .with("cur/1.host:2,S", &mail("read"))
        .with("cur/2.host:2,FS", &mail("starred"))
        .with("new/3.host", &mail("new"))
        .with("tmp/4.host", &mail("unfinished"))
        .with(".Sent/cur/5.host:2,S", &mail("sent"))
        .with(".Sent/new/.keep", b"")
        .with("dovecot.index", b"\0\x01\x02");
    let mailbox = Mailbox::load(&folder.0).unwrap();
    let labels: BTreeMap<&str, Vec<&str>> = mailbox
        .messages()
        .iter()
        .map(|message| {
            let labels = message.labels.iter().map(String::as_str).collect();
            (message.index.subject.as_str(), labels)
        })
        .collect();
    assert_eq!(labels["read"], ["INBOX"]);
    assert_eq!(labels["starred"], ["STARRED", "INBOX"]);
    assert_eq!(labels["new"], ["UNREAD", "INBOX"]);
    assert_eq!(labels["sent"], ["SENT"]);
    assert_eq!(labels.len(), 4);
    assert_eq!(mailbox.address(), "me@example.com");
}

#[test]
fn what_is_no_mailbox_gets_one_sentence() {
    let folder = Folder::new("wrong")
        .with("notes.txt", b"just prose\n")
        .with("empty.eml", b"");
    let empty = Folder::new("empty");
    for (path, words) in [
        (folder.0.clone(), "holds no mail: none of its 2 files"),
        (empty.0.clone(), "holds no mail: it is empty"),
        (folder.0.join("notes.txt"), "is no mailbox: not a message"),
        (folder.0.join("empty.eml"), "is no mailbox: the file is empty"),
        (folder.0.join("absent"), "cannot read the mailbox"),
    ] {
        let error = Mailbox::load(&path).unwrap_err();
        assert_eq!(error.code(), Code::InvalidInput);
        assert!(error.message().contains(words), "{error}");
        assert!(!error.message().contains('\n'));
    }
}

#[test]
fn replies_share_a_thread_and_other_subjects_do_not() {
    let mail = |day: u32, head: &str| {
        format!("From: a@example.com\nDate: {day:02} Mar 2026 10:00:00 +0000\n{head}\n\nx\n").into_bytes()
    };
    let mailbox = Mailbox::from_messages([
        mail(1, "Subject: Plan\nMessage-ID: <1@x>"),
        mail(
            2,
            "Subject: Re: Plan\nMessage-ID: <2@x>\nIn-Reply-To: <1@x>\nReferences: <1@x>",
        ),
        mail(3, "Subject: AW: Plan"),
        mail(4, "Subject: Something else\nMessage-ID: <4@x>\nReferences: <1@x>"),
        mail(5, "Subject: Plan\nMessage-ID: <5@x>"),
    ]);
    let threads: Vec<&str> = mailbox
        .messages()
        .iter()
        .rev()
        .map(|message| message.thread_id.as_str())
        .collect();
    assert_eq!(threads[0], threads[1]);
    assert_eq!(threads[0], threads[2]);
    assert_ne!(threads[0], threads[3]);
    assert_ne!(threads[0], threads[4]);
}

#[test]
fn a_shift_moves_dates_and_invitations() {
    let mailbox = Mailbox::from_messages([
        b"From: a@example.com\r\nDate: Mon, 02 Mar 2026 10:00:00 +0100\r\nSubject: x\r\n\r\nBEGIN:VEVENT\r\nDTSTART;TZID=Europe/Berlin:20260303T100000\r\n".to_vec(),
        b"From: a@example.com\r\nDate: Sun, 01 Mar 2026 10:00:00 +0100\r\nSubject: y\r\n\r\nx\r\n".to_vec(),
    ])
    .with_time_shift(Utc.with_ymd_and_hms(2026, 11, 21, 6, 30, 0).unwrap());
    let newest = &mailbox.messages()[0];
    assert_eq!(newest.internal_date_ms, 1_795_242_600_000);
    let raw = String::from_utf8(newest.raw.to_vec()).unwrap();
    assert!(
        raw.contains("\r\nDate: Sat, 21 Nov 2026 07:30:00 +0100\r\nSubject: x\r\n"),
        "{raw}"
    );
    assert!(
        raw.contains("DTSTART;TZID=Europe/Berlin:20261122T100000\r\n"),
        "{raw}"
    );
    assert_eq!(
        mailbox.messages()[1].internal_date_ms,
        1_795_242_600_000 - 86_400_000
    );
}
