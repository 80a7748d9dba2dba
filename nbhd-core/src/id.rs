//! Random bytes as a thing that is given, and the ids made of them.

use std::fmt::Debug;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};

/// What makes random bytes.
pub trait Random: Send + Sync + Debug {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);

    /// A fresh id of 128 random bits as 22 URL-safe characters: no two meet by chance.
    fn id(&self) -> String {
        let mut bytes = [0_u8; 16];
        self.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A number in `0.0 .. 1.0`, for jitter.
    fn fraction(&self) -> f64 {
        let mut bytes = [0_u8; 4];
        self.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }
}

/// The operating system's source.
#[derive(Debug, Default)]
pub struct SystemRandomness;

impl Random for SystemRandomness {
    #[expect(
        clippy::expect_used,
        reason = "no id, nonce or token is safe without randomness: nothing sensible can follow"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        SystemRandom::new()
            .fill(bytes)
            .expect("the operating system provides randomness");
    }
}

/// The same bytes at every run, for tests.
#[derive(Debug)]
pub struct SeededRandomness(Mutex<u64>);

impl SeededRandomness {
    /// A sequence chosen by `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1))
    }
}

impl Random for SeededRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for byte in bytes {
            // xorshift64: short, and good enough where only repeatability counts.
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            *byte = (*state >> 24) as u8;
        }
    }
}
