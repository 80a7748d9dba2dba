//! How much work a reading is, counted in what it looks at: so that a test can compare two lengths of hostile input without a
//! watch. Outside of tests nothing is counted.

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// A line, a node or a place is looked at, and so many bytes of it.
#[inline]
pub(super) fn look(bytes: usize) {
    #[cfg(test)]
    STEPS.set(STEPS.get() + 1 + bytes as u64);
    #[cfg(not(test))]
    let _ = bytes;
}

/// What `work` came to, and its steps.
#[cfg(test)]
pub(super) fn of<T>(work: impl FnOnce() -> T) -> (T, u64) {
    STEPS.set(0);
    let done = work();
    (done, STEPS.get())
}

/// The most steps for so many bytes of mail. Each byte may become three of text (a charset into UTF-8). A line of text is looked at
/// by [`split_reply`](super::split_reply) at most 80 times: the start of the quotes is looked for three times, 20 looks each (six
/// header lines ahead, four lines of an attribution, five passes of its own), and the rest cuts and joins.
#[cfg(test)]
pub(super) fn most(bytes: usize) -> u64 {
    256 * bytes as u64 + 4_096
}

/// Sixteen times the input is at most seventeen times the work, and a little; a pass that is quadratic makes it 256 times. Returns
/// the steps of the long input.
#[cfg(test)]
pub(super) fn assert_linear(unit: &str, times: usize, read: impl Fn(&str)) -> u64 {
    let steps = |times: usize| {
        let text = unit.repeat(times);
        of(|| read(&text)).1
    };
    let (few, many) = (steps(times), steps(times * 16));
    assert!(few >= times as u64, "{unit:?}: {few} steps are not the work");
    assert!(many <= few * 17 + 4_096, "{unit:?}: {few} steps became {many}");
    many
}
