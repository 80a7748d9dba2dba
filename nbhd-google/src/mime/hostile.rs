//! Anybody may send us anything: no input may panic, and work grows with the input, not with its square.

use proptest::prelude::*;

use super::{BodyOptions, from_gmail_json, from_raw, html_to_text, part_bytes, split_reply, steps};

/// Pieces that mean something to one of the parsers.
const PIECES: &[&str] = &[
    "Content-Type: multipart/mixed; boundary=a\r\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Type: text/html; charset=big5\r\n",
    "--a\r\n",
    "--a--\r\n",
    "\r\n\r\n",
    "From ",
    "Subject: =?utf-8?B?",
    "?=",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Type: text/plain; format=flowed; delsp=yes\r\n",
    "BEGIN:VEVENT\r\n",
    "> ",
    "-- \n",
    "On 1 wrote:\n",
    "<table><td>",
    "</p>",
    "&#x1F600;",
    "<a href='http://x'>",
    "\u{200d}",
    "\"payload\":{",
    "\"data\":\"",
    "é",
    "=E9",
    "From: \"a, b <c@d>;:\r\n",
    "Date: 99 Foo 99999 99:99 +9999\r\n",
];

fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => prop::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(bytes in soup()) {
        let _ = from_gmail_json(&bytes, BodyOptions::default());
        if let Ok(message) = from_raw(&bytes) {
            for attachment in &message.body.attachments {
                let _ = part_bytes(&bytes, &attachment.part_id);
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let _ = html_to_text(&text);
        let split = split_reply(&text);
        prop_assert!(split.text.len() <= text.len());
    }

    #[cfg(feature = "testkit")]
    #[test]
    fn a_payload_of_anything_reads_like_the_raw_bytes(bytes in soup()) {
        if let Ok(payload) = super::to_gmail_payload(&bytes) {
            let json = serde_json::to_vec(&payload).expect("JSON");
            let through = from_gmail_json(&json, BodyOptions::default()).expect("a message");
            prop_assert_eq!(through.body.attachments, from_raw(&bytes).expect("it was parsed").body.attachments);
        }
    }
}

#[test]
#[allow(clippy::format_collect, reason = "a test's input")]
fn splitting_and_parsing_stay_linear() {
    let units = [
        "On Mon, 5 Jan 2026 a@x.org wrote:\n> q\nanswer\n",
        "On Mon, 5 Jan 2026 a@x.org wrote:\nanswer\n",
        "> ",
        ">\n\n",
        "From: a\nno\n",
        "-- \nx\n",
        "On a\n",
        "________\n\n",
        "word ",
        "\n",
        "Am 1. schrieb\n",
    ];
    for unit in units {
        // Alone, and over a quote with an answer, which is looked for from afar.
        for end in ["", "\n> q\nanswer\n"] {
            let many = steps::assert_linear(unit, 2_000, |text| {
                let _ = split_reply(&format!("{text}{end}"));
            });
            assert!(many <= steps::most(unit.len() * 32_000), "{unit:?}: {many} steps");
        }
    }
    let nested = (0..3_000)
        .map(|at| format!("Content-Type: multipart/mixed; boundary=b{at}\r\n\r\n--b{at}\r\n"))
        .collect::<String>();
    let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(3_000);
    for deep in [nested, messages] {
        let (_, steps) = steps::of(|| from_raw(deep.as_bytes()));
        assert!(steps <= steps::most(deep.len()), "{steps} steps");
    }
}
