//! The one table of stable codes. A row is a promise: its name never comes to mean something else.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of trouble a code belongs to; policies that do not care for the single code read this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Class {
    /// The call itself is wrong; the same call will fail again.
    Caller,
    /// Who we are is not accepted.
    Auth,
    /// Who we are is known, but may not do this.
    Scope,
    /// Too much, too fast.
    Limit,
    /// It would cost, or has cost, too much.
    Money,
    /// May pass by itself.
    Transient,
    /// A rule of the host or of the provider forbids it.
    Policy,
    /// Something is not in the state that the call needs.
    State,
    /// Ours to mend.
    Internal,
}

macro_rules! codes {
    ($( $variant:ident $name:literal $class:ident $status:literal $retry:literal $action:literal; )*) => {
        /// A stable error code, the same in all three languages.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[non_exhaustive]
        pub enum Code {
            $(
                #[doc = $action]
                #[serde(rename = $name)]
                $variant,
            )*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$variant),*];

            /// The stable name, as it leaves the process.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => $name),* }
            }

            /// The class it belongs to.
            pub const fn class(self) -> Class {
                match self { $(Code::$variant => Class::$class),* }
            }

            /// The HTTP status that a web view answers with when nothing better is known.
            pub const fn http_status(self) -> u16 {
                match self { $(Code::$variant => $status),* }
            }

            /// Whether the same call can succeed later without anybody changing anything.
            pub const fn retryable(self) -> bool {
                match self { $(Code::$variant => $retry),* }
            }

            /// What the person can do next, in one sentence.
            pub const fn user_action(self) -> &'static str {
                match self { $(Code::$variant => $action),* }
            }
        }
    };
}

codes! {
    InvalidInput "invalid_input" Caller 400 false "Correct the input that the message names and call again.";
    InvalidConfig "invalid_config" Caller 500 false "Correct the configuration that the message names.";
    InvalidState "invalid_state" State 409 false "Bring the object into the state that the message names, then call again.";
    Unsupported "unsupported" Caller 501 false "Use a provider, channel or option that supports this.";
    NotFound "not_found" Caller 404 false "Check the identifier: nothing has it, or this account may not see it.";
    Conflict "conflict" State 409 false "Read the current state and decide again.";
    Unauthenticated "unauthenticated" Auth 401 false "Check the credential: it was not accepted.";
    ReauthorizationRequired "reauthorization_required" Auth 401 false "Ask the user to connect the account again.";
    InsufficientScope "insufficient_scope" Scope 403 false "Ask the user to grant the missing scopes.";
    PermissionDenied "permission_denied" Scope 403 false "Ask an administrator: the account may not do this.";
    NotConnected "not_connected" State 404 false "Connect the account first.";
    ConnectionInactive "connection_inactive" State 409 false "Connect the account again: its connection is no longer active.";
    RateLimited "rate_limited" Limit 429 true "Wait as long as retry_after says, then call again.";
    QuotaExhausted "quota_exhausted" Limit 429 false "Wait for the quota to reset, or raise it.";
    BillingRequired "billing_required" Money 402 false "Settle the provider's bill or add credit.";
    BudgetExceeded "budget_exceeded" Money 402 false "Lower the output cap, wait for the window to reset, or raise the budget.";
    UnpricedModel "unpriced_model" Money 400 false "Add a price row or a ceiling for the model, or choose a priced one.";
    ProviderUnavailable "provider_unavailable" Transient 502 true "Try again later: the provider answered with a failure of its own.";
    ProviderOverloaded "provider_overloaded" Transient 503 true "Try again later: the provider is overloaded.";
    Timeout "timeout" Transient 504 true "Try again later, or allow more time.";
    Cancelled "cancelled" State 499 false "Nothing: the call was cancelled.";
    ConnectionFailed "connection_failed" Transient 502 true "Check the network and the address, then try again.";
    TlsFailed "tls_failed" Transient 502 false "Check the certificate of the host and the root certificates here.";
    ProtocolError "protocol_error" Transient 502 false "Report it: the other side answered with something that its protocol does not allow.";
    ResponseTooLarge "response_too_large" Limit 502 false "Ask for less, or raise the response limit.";
    ContentFiltered "content_filtered" Policy 422 false "Change the content: the provider's filter refused it.";
    ContextOverflow "context_overflow" Caller 413 false "Shorten the input, or choose a model with a larger window.";
    ModelNotFound "model_not_found" Caller 404 false "Check the model's name and whether this key may use it.";
    ChainExhausted "chain_exhausted" Transient 503 true "Look at the attempts: every model of the chain refused or failed.";
    SignatureInvalid "signature_invalid" Auth 401 false "Check the signing secret: the request was not made by the platform that it names.";
    Replayed "replayed" Auth 401 false "Check the clocks: the signed request is older than its window allows.";
    PolicyDenied "policy_denied" Policy 403 false "Change the policy, or let someone act whom it allows.";
    AddressDenied "address_denied" Policy 403 false "Allow the host explicitly, or use a public https address.";
    StoreUnavailable "store_unavailable" Transient 503 true "Bring the store back; nothing was decided without it.";
    StoreConflict "store_conflict" State 409 true "Read again and repeat: another worker was first.";
    SecretMissing "secret_missing" State 500 false "Provide the secret at the source that the message names.";
    Internal "internal" Internal 500 false "Report it: this is a fault of nbhd.";
}

impl Code {
    /// The code with this stable name.
    pub fn from_name(name: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.name() == name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn names_are_unique_and_found_again() {
        for code in Code::ALL {
            assert_eq!(Code::from_name(code.name()), Some(*code));
        }
    }
}
