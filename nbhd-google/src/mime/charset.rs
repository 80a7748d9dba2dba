//! Bytes to text: valid UTF-8 first, else the declared charset, else what the HTML says of itself, else windows-1252.
//!
//! Gmail's `full` format has already turned text bodies into UTF-8 while the part's header still names the old charset,
//! so decoding by the header garbles them. The one encoding that passes for UTF-8 without being it is ISO-2022-JP
//! (seven-bit with escape sequences), which is therefore looked for.

use encoding_rs::{Encoding, ISO_2022_JP, WINDOWS_1252};

/// The text of a part. `declared` is the label of its `charset` parameter; `sniff` allows a `<meta>` of HTML to name it.
pub(super) fn decode(bytes: Vec<u8>, declared: Option<&str>, sniff: bool) -> String {
    let declared = declared.and_then(|label| Encoding::for_label(label.trim().as_bytes()));
    match String::from_utf8(bytes) {
        Ok(text) => {
            if declared == Some(ISO_2022_JP) && (text.contains("\u{1b}$") || text.contains("\u{1b}(")) {
                return ISO_2022_JP.decode(text.as_bytes()).0.into_owned();
            }
            match text.strip_prefix('\u{feff}') {
                Some(rest) => rest.to_owned(),
                None => text,
            }
        }
        Err(error) => {
            let bytes = error.into_bytes();
            let encoding = declared
                .filter(|encoding| *encoding != encoding_rs::UTF_8)
                .or_else(|| if sniff { meta_charset(&bytes) } else { None })
                .unwrap_or_else(|| {
                    // Declared as UTF-8 and mostly so: keep it and mark what is broken.
                    if declared.is_some() {
                        encoding_rs::UTF_8
                    } else {
                        WINDOWS_1252
                    }
                });
            encoding.decode(&bytes).0.into_owned()
        }
    }
}

/// The charset that the first KiB of HTML declares in a `<meta>`.
pub(super) fn meta_charset(html: &[u8]) -> Option<&'static Encoding> {
    let head = html[..html.len().min(1024)].to_ascii_lowercase();
    let at = head.windows(8).position(|window| window == b"charset=")? + 8;
    let label: Vec<u8> = head[at..]
        .iter()
        .copied()
        .skip_while(|byte| matches!(byte, b'"' | b'\'' | b' '))
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.'))
        .collect();
    Encoding::for_label(&label).filter(|encoding| *encoding != encoding_rs::UTF_8)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn utf8_wins_over_a_stale_label() {
        assert_eq!(
            decode("日本".as_bytes().to_vec(), Some("iso-2022-jp"), false),
            "日本"
        );
        assert_eq!(decode("日本".as_bytes().to_vec(), Some("big5"), false), "日本");
    }

    #[test]
    fn undecoded_bytes_follow_their_label() {
        assert_eq!(
            decode(b"\x1b$BF|K\\\x1b(B".to_vec(), Some("ISO-2022-JP"), false),
            "日本"
        );
        assert_eq!(decode(b"\xa4\xe9\xa5\xbb".to_vec(), Some("big5"), false), "日本");
        assert_eq!(
            decode(b"caf\xe9 \x80".to_vec(), Some("iso-8859-1"), false),
            "café €"
        );
        assert_eq!(decode(b"caf\xe9".to_vec(), None, false), "café");
        assert_eq!(decode(b"caf\xe9".to_vec(), Some("x-no-such"), false), "café");
        assert_eq!(decode(b"ok \xff".to_vec(), Some("utf-8"), false), "ok \u{fffd}");
    }

    #[test]
    fn html_may_name_its_own_charset() {
        assert_eq!(
            decode(b"<meta charset=\"koi8-r\">\xc4\xc1".to_vec(), None, true),
            "<meta charset=\"koi8-r\">да"
        );
        assert_eq!(
            decode(b"<meta charset=\"koi8-r\">\xc4\xc1".to_vec(), None, false),
            "<meta charset=\"koi8-r\">ÄÁ"
        );
    }
}
