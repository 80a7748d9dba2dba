//! A refresh token becomes an access token.
//!
//! The request and its reading are the `oauth2` crate's, the connection is our transport: retries, receipts and redaction
//! are those of every other request. <https://developers.google.com/identity/protocols/oauth2/web-server#offline>

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use nbhd_core::http::{HeaderValue, Method, Repeat, Request, Url, header};
use nbhd_core::transport::{Classify, Refusal, Transport};
use nbhd_core::{Code, Error, Operation, Outcome, Result, Secret};
use oauth2::basic::{BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, EndpointNotSet, EndpointSet, ErrorResponse,
    ExtraTokenFields, HttpRequest, HttpResponse, RefreshToken, RequestTokenError, StandardRevocableToken,
    StandardTokenResponse, TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};

use super::OAuthClient;

/// How long an access token is taken to live when the answer does not say. Google says 3,599 s; ten minutes is safe.
const UNSTATED_LIFETIME: Duration = Duration::from_secs(600);

/// The largest answer that is read from the token endpoint, in bytes; real ones have two or three thousand.
const ANSWER_LIMIT: usize = 64 * 1024;

/// What a successful refresh granted.
pub(crate) struct Granted {
    pub(crate) access_token: Secret,
    pub(crate) lifetime: Duration,
    /// The scopes of the grant; `None` when the answer does not name them.
    pub(crate) scopes: Option<Vec<String>>,
    /// A new refresh token, when Google rotates it.
    pub(crate) refresh_token: Option<Secret>,
    /// How long the refresh token lives, for apps in testing and grants limited in time.
    pub(crate) refresh_lifetime: Option<Duration>,
}

/// The token endpoint of one client.
#[derive(Debug, Clone)]
pub(crate) struct TokenEndpoint {
    client: OAuthClient,
    url: Url,
    transport: Arc<dyn Transport>,
}

type Client = oauth2::Client<
    TokenRefusal,
    StandardTokenResponse<GoogleFields, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl TokenEndpoint {
    /// `transport` must carry no authorization of its own and classify with [`TokenErrors`].
    pub(crate) fn new(client: OAuthClient, url: Url, transport: Arc<dyn Transport>) -> Self {
        Self {
            client,
            url,
            transport,
        }
    }

    pub(crate) async fn refresh(&self, operation: &Operation, refresh_token: &Secret) -> Result<Granted> {
        let client = self.client()?;
        let token = RefreshToken::new(refresh_token.expose().clone());
        let http = TokenHttp {
            operation: operation.clone(),
            transport: self.transport.clone(),
        };
        let answer = client
            .exchange_refresh_token(&token)
            .request_async(&http)
            .await
            .map_err(refusal)?;
        let extra = answer.extra_fields();
        Ok(Granted {
            access_token: Secret::new(answer.access_token().secret().clone()),
            lifetime: answer.expires_in().unwrap_or(UNSTATED_LIFETIME),
            scopes: answer
                .scopes()
                .filter(|scopes| !scopes.is_empty())
                .map(|scopes| scopes.iter().map(|scope| scope.as_str().to_owned()).collect()),
            refresh_token: answer
                .refresh_token()
                .map(|token| Secret::new(token.secret().clone())),
            refresh_lifetime: extra.refresh_token_expires_in.map(Duration::from_secs),
        })
    }

    /// Ends the grant at Google. One that is gone already has ended too.
    pub(crate) async fn revoke(&self, operation: &Operation, url: &Url, token: &Secret) -> Result<()> {
        // Revoking twice is revoking once.
        let request = Request::new(Method::POST, url.clone(), "google.revoke")
            .with_form([("token", token.expose().as_str())])
            .with_repeat(Repeat::Safe)
            .with_response_limit(ANSWER_LIMIT)
            .with_whole_body();
        match self.transport.send(operation, request).await {
            Ok(_) => Ok(()),
            Err(error) if error.provider_reason() == Some("invalid_token") => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn client(&self) -> Result<Client> {
        let secret = self.client.secret().reveal()?;
        let url = TokenUrl::from_url(self.url.clone());
        Ok(oauth2::Client::new(ClientId::new(self.client.id().to_owned()))
            .set_client_secret(ClientSecret::new(secret.expose().clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(url))
    }
}

/// Our transport, as the `oauth2` crate sees it.
struct TokenHttp {
    operation: Operation,
    transport: Arc<dyn Transport>,
}

impl<'c> AsyncHttpClient<'c> for TokenHttp {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let url: Url = parts
                .uri
                .to_string()
                .parse()
                .map_err(|_| Error::new(Code::InvalidConfig, "the token endpoint is not a URL"))?;
            // Google's refresh does not use the refresh token up, so asking again after a lost answer is harmless.
            let mut ours = Request::new(Method::POST, url, "google.token")
                .with_body(
                    HeaderValue::from_static("application/x-www-form-urlencoded"),
                    body,
                )
                .with_repeat(Repeat::Safe)
                .with_response_limit(ANSWER_LIMIT)
                .with_whole_body();
            if let Some(accept) = parts.headers.get(header::ACCEPT) {
                ours = ours.with_header(header::ACCEPT, accept.clone());
            }
            let reply = self.transport.send(&self.operation, ours).await?;
            let status = reply.status;
            let mut answer = HttpResponse::new(reply.bytes().await?.to_vec());
            *answer.status_mut() = status;
            Ok(answer)
        })
    }
}

/// Google's fields beyond the standard.
#[derive(Debug, Serialize, Deserialize)]
struct GoogleFields {
    #[serde(default)]
    refresh_token_expires_in: Option<u64>,
}

impl ExtraTokenFields for GoogleFields {}

/// Why a token was refused: `{error, error_description?, error_subtype?}`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TokenRefusal {
    error: String,
    #[serde(default)]
    error_subtype: Option<String>,
}

impl std::fmt::Display for TokenRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.error)
    }
}

impl ErrorResponse for TokenRefusal {}

/// Reads refusals of the token endpoint.
#[derive(Debug)]
pub(crate) struct TokenErrors;

impl Classify for TokenErrors {
    fn classify(&self, _request: &Request, refusal: Refusal<'_>) -> Option<Error> {
        // Only a 4xx decides about the grant; what a failing server writes into a 5xx does not.
        if !refusal.status.is_client_error() || refusal.status.as_u16() == 429 {
            return None;
        }
        serde_json::from_slice::<TokenRefusal>(refusal.body)
            .ok()
            .map(|said| said.into_error().with_provider_status(refusal.status.as_u16()))
    }
}

impl TokenRefusal {
    /// The error, whose `provider_reason` tells the kinds apart.
    fn into_error(self) -> Error {
        let reason = match self.error.as_str() {
            "invalid_grant" if self.error_subtype.as_deref() == Some("invalid_rapt") => "invalid_rapt",
            "invalid_grant" => "invalid_grant",
            "invalid_client" => "invalid_client",
            "unauthorized_client" => "unauthorized_client",
            "admin_policy_enforced" | "access_denied" | "org_internal" => "admin_policy_enforced",
            "internal_failure" | "server_error" | "temporarily_unavailable" => "server_error",
            "invalid_token" => "invalid_token",
            "rate_limit_exceeded" | "slow_down" => "rate_limit_exceeded",
            _ => "invalid_request",
        };
        refused(reason)
    }
}

/// The error of a refusal of the token endpoint, by its kind.
pub(crate) fn refused(reason: &str) -> Error {
    let (code, message) = match reason {
        "invalid_rapt" => (
            Code::ReauthorizationRequired,
            "Google asks the user to sign in again: the organisation limits how long a sign-in lasts",
        ),
        "testing_expiry" => (
            Code::ReauthorizationRequired,
            "the grant ended when Google had said: apps in testing are granted seven days",
        ),
        "invalid_grant" => (
            Code::ReauthorizationRequired,
            "Google no longer accepts the refresh token: it was revoked, expired or replaced",
        ),
        "invalid_client" => (
            Code::InvalidConfig,
            "Google does not know this OAuth client or its secret",
        ),
        "unauthorized_client" => (
            Code::InvalidConfig,
            "Google does not allow this OAuth client to use the grant",
        ),
        "admin_policy_enforced" => (
            Code::PermissionDenied,
            "the organisation's policy does not allow this app",
        ),
        "invalid_token" => (Code::Unauthenticated, "Google does not know this token"),
        "server_error" => (Code::ProviderUnavailable, "Google's token endpoint failed"),
        "rate_limit_exceeded" => (Code::RateLimited, "Google's token endpoint is asked too often"),
        _ => (
            Code::InvalidConfig,
            "Google refused the token request as malformed",
        ),
    };
    let error = Error::new(code, message)
        .with_outcome(Outcome::Refused)
        .with_provider("google")
        .with_provider_reason(reason);
    match next_step(reason) {
        Some(step) => error.with_user_action(step),
        None => error,
    }
}

/// What the person can do about a lasting refusal.
pub(crate) fn next_step(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "testing_expiry" => {
            "Ask the user to connect the account again, and publish the app: Google ends grants of apps in testing after \
             seven days."
        }
        "invalid_rapt" => "Ask the user to sign in again; the access that was granted is still there.",
        "invalid_grant" => "Ask the user to connect the account again.",
        "invalid_client" | "unauthorized_client" => {
            "Check the client id and the client secret in the Google Cloud console."
        }
        "admin_policy_enforced" => "Ask the Workspace administrator to allow this app.",
        _ => return None,
    })
}

fn refusal(error: RequestTokenError<Error, TokenRefusal>) -> Error {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(said) => said.into_error(),
        // The text of these may hold the answer, and the answer holds tokens: it is not repeated.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Error::new(
            Code::ProtocolError,
            "the token endpoint answered with something that is no token",
        )
        .with_outcome(Outcome::Unknown)
        .with_provider("google"),
    }
}

#[cfg(test)]
mod tests {
    use nbhd_core::Code;

    use super::TokenRefusal;

    #[test]
    fn refusals_are_told_apart() {
        // Bodies as in Google's documentation of OAuth errors.
        let cases = [
            (
                r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#,
                Code::ReauthorizationRequired,
                "invalid_grant",
            ),
            (
                r#"{"error":"invalid_grant","error_subtype":"invalid_rapt"}"#,
                Code::ReauthorizationRequired,
                "invalid_rapt",
            ),
            (
                r#"{"error":"invalid_client","error_description":"Unauthorized"}"#,
                Code::InvalidConfig,
                "invalid_client",
            ),
            (
                r#"{"error":"admin_policy_enforced"}"#,
                Code::PermissionDenied,
                "admin_policy_enforced",
            ),
            (
                r#"{"error":"internal_failure"}"#,
                Code::ProviderUnavailable,
                "server_error",
            ),
            (
                r#"{"error":"what_is_this"}"#,
                Code::InvalidConfig,
                "invalid_request",
            ),
        ];
        for (body, code, reason) in cases {
            let error = serde_json::from_str::<TokenRefusal>(body).unwrap().into_error();
            assert_eq!(
                (error.code(), error.provider_reason()),
                (code, Some(reason)),
                "{body}"
            );
        }
    }
}
