//! The error itself. `Display` never prints a body, a query string or a secret: messages are scrubbed at birth.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BudgetRefusal, Class, Code, ErrorData};
use crate::secret::redact;

/// What every fallible call returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The longest message, in characters: enough for a sentence, too little for a body.
pub(crate) const MESSAGE_LIMIT: usize = 300;

/// Whether the refused or failed request may have taken effect on the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It provably did not leave, or was provably not processed.
    NotSent,
    /// The other side answered that it did not do it.
    Refused,
    /// It may have happened: nobody knows.
    Unknown,
}

impl Outcome {
    /// The stable name, as it leaves the process.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::NotSent => "not_sent",
            Outcome::Refused => "refused",
            Outcome::Unknown => "unknown",
        }
    }
}

/// The one error of the suite. Cheap to move (one pointer), safe to print.
pub struct Error(Box<Inner>);

struct Inner {
    data: ErrorData,
    receipt: Option<Box<crate::Receipt>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    settled: bool,
    used_connection: bool,
}

impl Error {
    /// An error with the outcome [`Outcome::NotSent`] until said otherwise.
    pub fn new(code: Code, message: impl AsRef<str>) -> Self {
        Self(Box::new(Inner {
            data: ErrorData {
                code,
                message: scrub(message.as_ref()),
                outcome: Outcome::NotSent,
                retryable: code.retryable(),
                retry_after: None,
                operation: None,
                provider: None,
                provider_status: None,
                provider_reason: None,
                request_id: None,
                attempts: 0,
                user_action: code.user_action().to_owned(),
                http_status: code.http_status(),
                budget: None,
                delivery: None,
                details: None,
                causes: Vec::new(),
            },
            receipt: None,
            source: None,
            settled: false,
            used_connection: false,
        }))
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.0.data.code
    }

    /// The class of the code.
    pub fn class(&self) -> Class {
        self.0.data.code.class()
    }

    /// What happened, without secrets.
    pub fn message(&self) -> &str {
        &self.0.data.message
    }

    /// Whether it may have happened on the other side.
    pub fn outcome(&self) -> Outcome {
        self.0.data.outcome
    }

    /// Whether the same call can succeed later without anybody changing anything.
    pub fn retryable(&self) -> bool {
        self.0.data.retryable
    }

    /// How long to wait before calling again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0
            .data
            .retry_after
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }

    /// The public call that failed.
    pub fn operation(&self) -> Option<&str> {
        self.0.data.operation.as_deref()
    }

    /// The provider, channel or service that answered.
    pub fn provider(&self) -> Option<&str> {
        self.0.data.provider.as_deref()
    }

    /// Its status code.
    pub fn provider_status(&self) -> Option<u16> {
        self.0.data.provider_status
    }

    /// Its own reason.
    pub fn provider_reason(&self) -> Option<&str> {
        self.0.data.provider_reason.as_deref()
    }

    /// Its id of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.0.data.request_id.as_deref()
    }

    /// How many attempts were made.
    pub fn attempts(&self) -> u32 {
        self.0.data.attempts
    }

    /// What the person can do next.
    pub fn user_action(&self) -> &str {
        &self.0.data.user_action
    }

    /// What a budget refusal adds.
    pub fn budget(&self) -> Option<&BudgetRefusal> {
        self.0.data.budget.as_ref()
    }

    /// The delivery of a half-done send, as JSON.
    pub fn delivery(&self) -> Option<&serde_json::Value> {
        self.0.data.delivery.as_ref()
    }

    /// Further machine-readable facts.
    pub fn details(&self) -> Option<&serde_json::Value> {
        self.0.data.details.as_ref()
    }

    /// The receipt of the operation that failed, once it has ended.
    pub fn receipt(&self) -> Option<&crate::Receipt> {
        self.0.receipt.as_deref()
    }

    /// Every field that may leave the process.
    pub fn to_data(&self) -> ErrorData {
        let mut data = self.0.data.clone();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            data.causes.push(scrub(&error.to_string()));
            cause = error.source();
        }
        data
    }

    /// Says whether it may have happened on the other side.
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.data.outcome = outcome;
        self
    }

    /// Overrides the table's word on whether the same call can succeed later.
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.data.retryable = retryable;
        self
    }

    /// Says how long to wait before calling again.
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.data.retry_after = Some(wait.as_secs_f64());
        self
    }

    /// Names the public call.
    pub fn with_operation(mut self, operation: impl Into<String>) -> Self {
        self.0.data.operation = Some(operation.into());
        self
    }

    /// Names who answered.
    pub fn with_provider(mut self, provider: impl Into<String>) -> Self {
        self.0.data.provider = Some(provider.into());
        self
    }

    /// Keeps the provider's status code.
    pub fn with_provider_status(mut self, status: u16) -> Self {
        self.0.data.provider_status = Some(status);
        self
    }

    /// Keeps the provider's own reason, scrubbed.
    pub fn with_provider_reason(mut self, reason: impl AsRef<str>) -> Self {
        self.0.data.provider_reason = Some(scrub(reason.as_ref()));
        self
    }

    /// Keeps the provider's id of the request.
    pub fn with_request_id(mut self, id: impl AsRef<str>) -> Self {
        self.0.data.request_id = Some(scrub(id.as_ref()));
        self
    }

    /// Says how many attempts were made.
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.data.attempts = attempts;
        self
    }

    /// Says what the person can do next, where the table's sentence is too general.
    pub fn with_user_action(mut self, action: impl AsRef<str>) -> Self {
        self.0.data.user_action = scrub(action.as_ref());
        self
    }

    /// Adds what a budget refusal has to say.
    pub fn with_budget(mut self, budget: BudgetRefusal) -> Self {
        self.0.data.budget = Some(budget);
        self
    }

    /// Adds the delivery of a half-done send.
    pub fn with_delivery(mut self, delivery: serde_json::Value) -> Self {
        self.0.data.delivery = Some(delivery);
        self
    }

    /// Adds machine-readable facts. The caller answers for them being free of secrets.
    pub fn with_details(mut self, details: serde_json::Value) -> Self {
        self.0.data.details = Some(details);
        self
    }

    /// Adds the receipt of the operation.
    pub fn with_receipt(mut self, receipt: crate::Receipt) -> Self {
        self.0.receipt = Some(Box::new(receipt));
        self
    }

    /// Marks an error that somebody with attempts of its own has already given up on: the retry layer passes it on.
    pub(crate) fn settled(mut self) -> Self {
        self.0.settled = true;
        self
    }

    /// Whether somebody with attempts of its own has already given up on it.
    pub(crate) fn is_settled(&self) -> bool {
        self.0.settled
    }

    /// Marks the loss of a connection that had been used before: most likely it was gone already, so the next attempt takes a new one.
    pub(crate) fn on_used_connection(mut self) -> Self {
        self.0.used_connection = true;
        self
    }

    /// Whether a connection was lost that had been used before.
    pub(crate) fn is_on_used_connection(&self) -> bool {
        self.0.used_connection
    }

    /// Keeps the cause. Only for causes whose text holds no URL, body or secret; others are put into words.
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.data.code, self.0.data.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("code", &self.0.data.code)
            .field("message", &self.0.data.message)
            .field("outcome", &self.0.data.outcome)
            .field("operation", &self.0.data.operation)
            .field("provider", &self.0.data.provider)
            .field("provider_status", &self.0.data.provider_status)
            .field("provider_reason", &self.0.data.provider_reason)
            .field("request_id", &self.0.data.request_id)
            .field("retry_after", &self.0.data.retry_after)
            .field("attempts", &self.0.data.attempts)
            .field(
                "source",
                &self.0.source.as_ref().map(|source| scrub(&source.to_string())),
            )
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// Redacts, then cuts at [`MESSAGE_LIMIT`] characters.
fn scrub(text: &str) -> String {
    let clean = redact(text);
    if clean.chars().count() <= MESSAGE_LIMIT {
        return clean;
    }
    clean.chars().take(MESSAGE_LIMIT - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::{Code, Error, Outcome};

    #[test]
    fn a_message_is_scrubbed_and_cut_at_birth() {
        let error = Error::new(
            Code::Internal,
            format!(
                "Authorization: Bearer ya29.{} {}",
                "x".repeat(40),
                "y".repeat(900)
            ),
        );
        assert!(!error.to_string().contains("ya29."), "{error}");
        assert!(error.message().chars().count() <= 300);
        assert_eq!(error.outcome(), Outcome::NotSent);
    }

    #[test]
    fn the_source_chain_is_told() {
        let inner = Error::new(Code::StoreUnavailable, "the disk is full");
        let outer = Error::new(Code::Internal, "could not settle").with_source(inner);
        assert_eq!(outer.to_data().causes, ["store_unavailable: the disk is full"]);
    }
}
