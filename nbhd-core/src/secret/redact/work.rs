//! How much work a pass is, counted in bytes looked at: so that a test can compare two lengths of hostile input without a watch.
//! Outside of tests nothing is counted.

#[cfg(any(test, feature = "testkit"))]
thread_local! {
    static WORK: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(any(test, feature = "testkit"))]
pub(super) fn count(bytes: usize) {
    WORK.set(WORK.get() + bytes as u64);
}

#[cfg(not(any(test, feature = "testkit")))]
pub(super) fn count(_: usize) {}

/// Redacts `text` and says how many bytes were looked at on the way, each time that one was looked at.
#[cfg(any(test, feature = "testkit"))]
pub fn redaction_work(text: &str) -> u64 {
    WORK.set(0);
    super::redact(text);
    WORK.get()
}
