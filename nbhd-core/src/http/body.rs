//! The bytes of a request, and the bytes of a reply as they come.

use std::pin::Pin;

use bytes::Bytes;
use futures::Stream;

use crate::Error;

/// The body of a request. It is cheap to clone, so that the next attempt can send it again.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Body(Bytes);

impl Body {
    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Its length.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A body may carry mail or money matters: only its size is ever printed.
        write!(f, "Body({} bytes)", self.0.len())
    }
}

/// The bytes of a reply. It ends the layers when it has ended or was dropped.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;
