//! The token endpoint, revocation and consent. <https://developers.google.com/identity/protocols/oauth2/web-server>

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use nbhd_core::Timestamp;
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use serde_json::json;

use super::answer::Answer;

/// A code of consent lives this long: Google's are good for minutes.
const CODE_SECONDS: i64 = 600;

/// Clients, grants and tokens.
#[derive(Debug, Default)]
pub(super) struct OAuth {
    pub(super) clients: HashMap<String, String>,
    grants: HashMap<String, Grant>,
    access: HashMap<String, Access>,
    codes: HashMap<String, Consent>,
    lifetime: Duration,
    /// What access tokens begin with, so that a proof can search for them.
    prefix: String,
    issued: u64,
}

#[derive(Debug, Clone)]
struct Grant {
    client: String,
    scopes: Vec<String>,
    revoked: bool,
}

#[derive(Debug)]
struct Access {
    refresh_token: String,
    scopes: Vec<String>,
    expires: Timestamp,
}

#[derive(Debug)]
struct Consent {
    client: String,
    redirect: String,
    scopes: Vec<String>,
    challenge: Option<String>,
    expires: Timestamp,
}

/// What a bearer may do.
pub(super) enum Bearer {
    Good(Vec<String>),
    Bad(&'static str),
}

impl OAuth {
    pub(super) fn new(lifetime: Duration, prefix: String) -> Self {
        Self {
            lifetime,
            prefix,
            ..Self::default()
        }
    }

    pub(super) fn grant(&mut self, refresh_token: &str, client: &str, scopes: Vec<String>) {
        let grant = Grant {
            client: client.to_owned(),
            scopes,
            revoked: false,
        };
        self.grants.insert(refresh_token.to_owned(), grant);
    }

    /// What the token of an `Authorization` header may do now.
    pub(super) fn bearer(&self, header: Option<&str>, now: Timestamp) -> Bearer {
        let Some(header) = header else {
            return Bearer::Bad("CREDENTIALS_MISSING");
        };
        let Some(token) = bearer_token(header) else {
            return Bearer::Bad("ACCESS_TOKEN_TYPE_UNSUPPORTED");
        };
        let Some(access) = self.access.get(token) else {
            return Bearer::Bad("ACCESS_TOKEN_TYPE_UNSUPPORTED");
        };
        let dead = self
            .grants
            .get(&access.refresh_token)
            .is_none_or(|grant| grant.revoked);
        if dead || access.expires <= now {
            return Bearer::Bad("ACCESS_TOKEN_EXPIRED");
        }
        Bearer::Good(access.scopes.clone())
    }

    /// Ends every access token at once, as time would.
    pub(super) fn expire_access_tokens(&mut self) {
        for access in self.access.values_mut() {
            access.expires = Timestamp::MIN_UTC;
        }
    }

    /// Ends a grant, as the user can at any time.
    pub(super) fn end(&mut self, refresh_token: &str) {
        if let Some(grant) = self.grants.get_mut(refresh_token) {
            grant.revoked = true;
        }
    }

    /// `POST /token`.
    pub(super) fn token(&mut self, form: &[(String, String)], basic: Option<&str>, now: Timestamp) -> Answer {
        let client = match self.client(form, basic) {
            Ok(client) => client,
            Err(answer) => return answer,
        };
        match field(form, "grant_type") {
            Some("refresh_token") => self.refresh(form, &client, now),
            Some("authorization_code") => self.exchange(form, &client, now),
            Some(_) => Answer::oauth(400, "unsupported_grant_type", "Invalid grant_type"),
            None => Answer::oauth(
                400,
                "invalid_request",
                "Required parameter is missing: grant_type",
            ),
        }
    }

    fn client(&self, form: &[(String, String)], basic: Option<&str>) -> Result<String, Answer> {
        let basic = basic.and_then(|header| {
            let text = String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ")?).ok()?).ok()?;
            let (id, secret) = text.split_once(':')?;
            Some((id.to_owned(), secret.to_owned()))
        });
        let (id, secret) = match (&basic, field(form, "client_id")) {
            (Some((id, secret)), _) => (id.as_str(), Some(secret.as_str())),
            (None, Some(id)) => (id, field(form, "client_secret")),
            (None, None) => {
                return Err(Answer::oauth(
                    400,
                    "invalid_request",
                    "Could not determine client ID from request.",
                ));
            }
        };
        match (self.clients.get(id), secret) {
            (None, _) => Err(Answer::oauth(
                401,
                "invalid_client",
                "The OAuth client was not found.",
            )),
            (Some(known), Some(secret)) if known == secret => Ok(id.to_owned()),
            (Some(_), None) => Err(Answer::oauth(400, "invalid_request", "client_secret is missing.")),
            (Some(_), Some(_)) => Err(Answer::oauth(401, "invalid_client", "Unauthorized")),
        }
    }

    fn refresh(&mut self, form: &[(String, String)], client: &str, now: Timestamp) -> Answer {
        let Some(token) = field(form, "refresh_token") else {
            return Answer::oauth(
                400,
                "invalid_request",
                "Missing required parameter: refresh_token",
            );
        };
        let Some(grant) = self.grants.get(token).cloned() else {
            return Answer::oauth(400, "invalid_grant", "Bad Request");
        };
        if grant.revoked || grant.client != client {
            return Answer::oauth(400, "invalid_grant", "Token has been expired or revoked.");
        }
        let scopes = match field(form, "scope") {
            None => grant.scopes,
            Some(wanted) => {
                let wanted: Vec<String> = wanted.split_whitespace().map(str::to_owned).collect();
                if wanted.iter().any(|scope| !grant.scopes.contains(scope)) {
                    return Answer::oauth(400, "invalid_scope", "Some requested scopes were not granted.");
                }
                wanted
            }
        };
        let access = self.issue(token, scopes.clone(), now);
        self.issued_answer(&access, &scopes, None)
    }

    fn exchange(&mut self, form: &[(String, String)], client: &str, now: Timestamp) -> Answer {
        let refuse = |why: &str| Answer::oauth(400, "invalid_grant", why);
        // A code is good once, also when what comes with it is wrong.
        let Some(consent) = field(form, "code").and_then(|code| self.codes.remove(code)) else {
            return refuse("Malformed auth code.");
        };
        if consent.expires <= now || consent.client != client {
            return refuse("Bad Request");
        }
        if field(form, "redirect_uri") != Some(&consent.redirect) {
            return Answer::oauth(400, "redirect_uri_mismatch", "Bad Request");
        }
        if let Some(challenge) = &consent.challenge {
            let Some(verifier) = field(form, "code_verifier") else {
                return refuse("Missing code verifier.");
            };
            let fits = (43..=128).contains(&verifier.len())
                && PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.to_owned()))
                    .as_str()
                    == challenge;
            if !fits {
                return refuse("Invalid code verifier.");
            }
        }
        self.issued += 1;
        let refresh_token = format!("1//standin-{}-{}", self.prefix, nonce(self.issued));
        self.grant(&refresh_token, client, consent.scopes.clone());
        let access = self.issue(&refresh_token, consent.scopes.clone(), now);
        self.issued_answer(&access, &consent.scopes, Some(&refresh_token))
    }

    fn issue(&mut self, refresh_token: &str, scopes: Vec<String>, now: Timestamp) -> String {
        self.issued += 1;
        let token = format!("{}{}", self.prefix, nonce(self.issued));
        let access = Access {
            refresh_token: refresh_token.to_owned(),
            scopes,
            expires: now + chrono::Duration::from_std(self.lifetime).unwrap_or(chrono::Duration::MAX),
        };
        self.access.insert(token.clone(), access);
        token
    }

    fn issued_answer(&self, access: &str, scopes: &[String], refresh_token: Option<&str>) -> Answer {
        let mut body = json!({
            "access_token": access,
            // Google states one second less than the hour.
            "expires_in": self.lifetime.as_secs().saturating_sub(1),
            "scope": scopes.join(" "),
            "token_type": "Bearer",
        });
        if let Some(token) = refresh_token {
            body["refresh_token"] = token.into();
        }
        Answer::json(200, &body)
            .with_header("cache-control", "no-cache, no-store, max-age=0, must-revalidate")
    }

    /// `POST /revoke`: either token ends the grant.
    pub(super) fn revoke(&mut self, form: &[(String, String)], query: &[(String, String)]) -> Answer {
        let Some(token) = field(form, "token").or_else(|| field(query, "token")) else {
            return Answer::oauth(400, "invalid_request", "Missing required parameter: token");
        };
        let refresh = self
            .access
            .get(token)
            .map_or(token, |access| access.refresh_token.as_str())
            .to_owned();
        match self.grants.get_mut(&refresh) {
            Some(grant) if !grant.revoked => {
                grant.revoked = true;
                Answer::json(200, &json!({}))
            }
            _ => Answer::oauth(400, "invalid_token", "Token expired or revoked"),
        }
    }

    /// The consent page, on which the user always agrees: it redirects at once, as a browser would see it.
    pub(super) fn consent(&mut self, query: &[(String, String)], now: Timestamp) -> Answer {
        let client = field(query, "client_id").unwrap_or_default();
        let redirect = field(query, "redirect_uri").and_then(|redirect| url::Url::parse(redirect).ok());
        let (true, Some(mut redirect)) = (self.clients.contains_key(client), redirect) else {
            return Answer::oauth(
                400,
                "invalid_request",
                "The client or the redirect address is not known.",
            );
        };
        let wrong = if field(query, "response_type") != Some("code") {
            Some("unsupported_response_type")
        } else if field(query, "scope").is_none_or(str::is_empty) {
            Some("invalid_scope")
        } else if field(query, "code_challenge").is_some()
            && field(query, "code_challenge_method") != Some("S256")
        {
            Some("invalid_request")
        } else {
            None
        };
        let plain = redirect.to_string();
        let given = field(query, "redirect_uri").unwrap_or(&plain).to_owned();
        if let Some(error) = wrong {
            redirect.query_pairs_mut().append_pair("error", error);
        } else {
            self.issued += 1;
            let code = format!("4/0A{}", nonce(self.issued));
            let scope = field(query, "scope").unwrap_or_default();
            redirect
                .query_pairs_mut()
                .append_pair("code", &code)
                .append_pair("scope", scope);
            let consent = Consent {
                client: client.to_owned(),
                redirect: given,
                scopes: scope.split_whitespace().map(str::to_owned).collect(),
                challenge: field(query, "code_challenge").map(str::to_owned),
                expires: now + chrono::Duration::seconds(CODE_SECONDS),
            };
            self.codes.insert(code, consent);
        }
        if let Some(state) = field(query, "state") {
            redirect.query_pairs_mut().append_pair("state", state);
        }
        Answer::json(302, &json!({})).with_header("location", redirect.to_string())
    }
}

/// The token of `Bearer …`.
pub(super) fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

pub(super) fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|(field, _)| field == name)
        .map(|(_, value)| value.as_str())
}

/// Letters that no other token of this process has, and none of another process by chance.
fn nonce(count: u64) -> String {
    use std::hash::{BuildHasher, RandomState};
    let random = [0_u8, 1, 2].map(|salt| RandomState::new().hash_one((salt, count)).to_be_bytes());
    URL_SAFE_NO_PAD.encode(random.concat())
}
