//! One call from the wire to the inbox, and the acknowledgement that it earns.

use nbhd_core::error::Class;
use nbhd_core::inbox::Accepted;
use nbhd_core::{Code, Error, Operation, Result};

use super::{Reply, Webhook};
use crate::channel::Channel;

/// The largest body that is looked at: 1 MiB, many times what any platform sends; checked before anything is hashed.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// How long a platform is asked to wait while the store is away, in seconds: some platforms honour it, all come again.
const STORE_RETRY_SECONDS: u32 = 5;

/// What the work of one call came to.
enum Taken {
    Handshake(Box<Reply>),
    Events(Vec<Accepted>),
}

/// Takes a webhook call for a channel. What the caller sent wrong, and a store that is away, is an answer to the platform; an error
/// is only what the program around us has to mend: a secret that is not set.
pub async fn receive(channel: &dyn Channel, call: Webhook) -> Result<Reply> {
    let operation = Operation::begin(channel.host(), channel.operations().receive)
        .with_provider(channel.capabilities().channel.as_str());
    let oversized = call.body.len() > BODY_LIMIT;
    match operation.run(take(channel, &call)).await {
        Ok((Taken::Handshake(reply), receipt)) => Ok(Reply {
            receipt: Some(receipt),
            ..*reply
        }),
        Ok((Taken::Events(accepted), receipt)) => Ok(Reply {
            accepted,
            receipt: Some(receipt),
            ..Reply::new(200)
        }),
        Err(error) if matches!(error.code(), Code::InvalidConfig | Code::SecretMissing) => Err(error),
        Err(error) => Ok(refusal(&error, oversized)),
    }
}

async fn take(channel: &dyn Channel, call: &Webhook) -> Result<Taken> {
    if call.body.len() > BODY_LIMIT {
        return Err(Error::new(
            Code::InvalidInput,
            format!("the body is larger than {BODY_LIMIT} bytes"),
        ));
    }
    let body = channel.verify(call)?;
    if let Some(reply) = channel.handshake(&body)? {
        return Ok(Taken::Handshake(Box::new(reply)));
    }
    let mut inbox = channel.host().inbox();
    if let Some(horizon) = channel.capabilities().redelivery() {
        inbox = inbox.with_redelivery(horizon);
    }
    let mut accepted = Vec::new();
    for event in channel.parse(&body)? {
        accepted.push(inbox.accept(event.to_new_event()?).await?);
    }
    Ok(Taken::Events(accepted))
}

fn refusal(error: &Error, oversized: bool) -> Reply {
    let mut reply = match error.code() {
        _ if oversized => Reply::new(413),
        Code::SignatureInvalid | Code::Replayed => Reply::new(401),
        _ if error.class() == Class::Caller => Reply::new(400),
        _ => Reply::new(503).with_header("retry-after", STORE_RETRY_SECONDS.to_string()),
    };
    reply.code = Some(error.code());
    reply.receipt = error.receipt().cloned();
    reply
}
