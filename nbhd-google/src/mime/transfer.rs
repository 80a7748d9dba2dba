//! Base64 as it is found in the wild: both alphabets, with, without or with wrong padding, line breaks within.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// Decodes what can be decoded. Characters outside both alphabets are skipped; a dangling last character is dropped.
pub(super) fn decode_base64(data: &str) -> Vec<u8> {
    if let Ok(bytes) = URL_SAFE.decode(data) {
        return bytes;
    }
    let mut clean: Vec<u8> = Vec::with_capacity(data.len());
    for byte in data.bytes() {
        match byte {
            b'-' => clean.push(b'+'),
            b'_' => clean.push(b'/'),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => clean.push(byte),
            b'=' => break,
            _ => {}
        }
    }
    if clean.len() % 4 == 1 {
        clean.pop();
    }
    STANDARD.decode(&clean).unwrap_or_default()
}

/// The decoded size without decoding.
pub(super) fn decoded_len(data: &str) -> u64 {
    let significant = data.trim_end_matches('=').len() as u64;
    significant * 3 / 4
}

#[cfg(test)]
mod tests {
    use super::{decode_base64, decoded_len};

    #[test]
    fn every_dialect_gives_the_same_bytes() {
        for data in ["-_8", "-_8=", "+/8=", "+/8", "+_8=", " +/\r\n8=", "-_8==="] {
            assert_eq!(decode_base64(data), [0xfb, 0xff], "{data:?}");
        }
        assert_eq!(decode_base64("YWJj*ZA"), b"abcd");
        assert_eq!(decode_base64("YWJjZ"), b"abc");
        assert_eq!(decode_base64(""), b"");
        assert_eq!(decoded_len("YWJjZA=="), 4);
    }
}
