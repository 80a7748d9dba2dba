//! The credential of a request, and its place.

use std::fmt;
use std::sync::Arc;

use http::HeaderName;

use crate::Secret;

/// How a credential is put on the request, by type: never by replacing text after serialisation.
#[derive(Clone, Default)]
pub enum Authorization {
    /// No credential, or the stack's `auth` layer puts it there.
    #[default]
    None,
    /// `Authorization: Bearer …`
    Bearer(Arc<Secret>),
    /// A header of the given name.
    Header(HeaderName, Arc<Secret>),
    /// A path segment of the URL that holds the secret, put in the place of `{secret}` in the last moment
    /// (Telegram's `/bot<token>/…`).
    PathSegment(Arc<Secret>),
    /// Several secrets, or one in another place.
    Placed(Arc<[Placed]>),
}

impl Authorization {
    /// The secrets in it.
    pub(crate) fn secrets(&self) -> Vec<&Secret> {
        match self {
            Authorization::None => Vec::new(),
            Authorization::Bearer(secret)
            | Authorization::Header(_, secret)
            | Authorization::PathSegment(secret) => vec![secret],
            Authorization::Placed(placed) => placed.iter().map(|placed| &*placed.secret).collect(),
        }
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Authorization::None => "None",
            Authorization::Bearer(_) => "Bearer(***)",
            Authorization::Header(..) => "Header(***)",
            Authorization::PathSegment(_) => "PathSegment(***)",
            Authorization::Placed(_) => "Placed(***)",
        })
    }
}

/// A secret and its place on the request.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Where.
    pub place: Place,
    /// What.
    pub secret: Arc<Secret>,
}

/// A place for a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// A header, after a prefix such as `Bearer `.
    Header {
        /// The header.
        name: HeaderName,
        /// What stands before the secret.
        prefix: String,
    },
    /// `Authorization: Basic …` as the password of this user (RFC 7617).
    Basic {
        /// The user.
        user: String,
    },
    /// A query parameter, which takes the place of one of the same name.
    Query {
        /// The parameter.
        name: String,
    },
    /// A value of the JSON body, at a JSON Pointer (RFC 6901). What it names is replaced, or added to its object; `-` adds to a list.
    Json {
        /// The pointer, such as `/auth/token`.
        pointer: String,
    },
    /// A field of the form body, which takes the place of one of the same name.
    Form {
        /// The field.
        name: String,
    },
}

impl Place {
    /// Whether it is in the body.
    pub(crate) fn is_in_body(&self) -> bool {
        matches!(self, Place::Json { .. } | Place::Form { .. })
    }
}
