//! Who we are at Google: the OAuth client, the exchange of a refresh token for an access token, and what a grant covers.
//!
//! A refresh token enters here and never leaves: it is revealed to the token endpoint that it was sealed for and to
//! nobody else.

mod oauth;
mod refresh;
mod scope;

pub use oauth::OAuthClient;
pub use scope::{CALENDAR_READONLY, GMAIL_READONLY, READ_ONLY};

pub(crate) use refresh::{Granted, TokenEndpoint, TokenErrors, next_step, refused};
pub(crate) use scope::{Consent, Method, full, guard};
