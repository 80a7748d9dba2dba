//! The store in memory: for tests and for programs that have nothing to keep.
