//! A request as data, and whether it may be sent twice.
//!
//! ```
//! use nbhd_core::http::{Method, Repeat, Request};
//!
//! let url = "https://gmail.googleapis.com/gmail/v1/users/me/profile".parse().expect("a valid URL");
//! let request = Request::new(Method::GET, url, "gmail.profile.get");
//! assert_eq!(request.repeat, Repeat::Safe); // GET is safe, everything else is Never until said otherwise
//! ```

mod authorization;
mod body;
mod repeat;
mod request;
mod response;

pub use authorization::{Authorization, Place, Placed};
pub use body::{Body, BodyStream};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
pub use repeat::Repeat;
pub use request::{Request, Timeouts};
pub(crate) use response::too_large;
pub use response::{RESPONSE_LIMIT, Response};
pub use url::Url;
