//! The handle on one bot.

use std::sync::{Arc, LazyLock, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use nbhd_core::http::{Authorization, Repeat, Url};
use nbhd_core::outbox::NewIntent;
use nbhd_core::transport::{Layers, Transport, stack};
use nbhd_core::{Code, Error, Host, Operation, Receipt, Result, Secret};
use serde_json::Value;

use super::refusal::{BotRefusals, NOT_MODIFIED};
use super::wire::{SECRET_HEADER, User};
use super::{TelegramConfig, inbound, outbound, render};
use crate::channel::{
    Capabilities, Channel, Dialect, Edit, MediaLimit, Operations, Probe, RateLimit, Verification,
};
use crate::ingress::{self, Reply, Verified, Webhook};
use crate::message::{
    AccountId, AttachmentKind, Delivery, InboundEvent, Message, Plan, deliver, intent, resume,
};
use crate::text::Unit;

/// The channel's name in conversations, lanes and receipts.
const CHANNEL: &str = "telegram";

/// One bot. Cheap to clone; does no I/O until a call.
#[derive(Debug, Clone)]
pub struct Telegram(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: Host,
    config: TelegramConfig,
    base: Url,
    transport: Arc<dyn Transport>,
    token: OnceLock<(Arc<Secret>, AccountId)>,
    webhook_secrets: OnceLock<Vec<Secret>>,
}

impl Telegram {
    /// A bot within a host. Reads no secret yet; `invalid_config` when the base URL is none.
    pub fn new(host: &Host, config: TelegramConfig) -> Result<Self> {
        let layers = Layers::default().with_classify(Arc::new(BotRefusals));
        Ok(Self(Arc::new(Inner {
            host: host.clone(),
            base: config.base()?,
            config,
            transport: stack(host, layers),
            token: OnceLock::new(),
            webhook_secrets: OnceLock::new(),
        })))
    }

    /// Takes a webhook call: verified, claimed and stored before it is acknowledged. Answer the platform with what it returns:
    /// 200 for stored, known and uninteresting updates alike, 401 for a wrong secret, 400 for what is no update, 413 for more than 1 MiB, 503
    /// while the store is away. An error is only what the program has to mend: `invalid_config`, `secret_missing`.
    pub async fn receive(&self, headers: &HeaderMap, body: impl AsRef<[u8]> + Send) -> Result<Reply> {
        let call = Webhook::new(headers.clone(), Bytes::copy_from_slice(body.as_ref()));
        ingress::receive(self, call).await
    }

    /// The same with headers as pairs of text.
    pub async fn receive_pairs<'a>(
        &self,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: impl AsRef<[u8]> + Send,
    ) -> Result<Reply> {
        let call = Webhook::from_pairs(headers, Bytes::copy_from_slice(body.as_ref()));
        ingress::receive(self, call).await
    }

    /// Sends a message, in as many parts as it needs. Returns only if every part was sent; else the error carries the delivery.
    pub async fn send(&self, message: Message) -> Result<Delivery> {
        deliver(self, message).await
    }

    /// Sends what is missing of a message that was stored under `key`; `not_found` when there is none.
    pub async fn resume(&self, key: &str) -> Result<Delivery> {
        resume(self, key).await
    }

    /// Gives a message that the bot sent a new text, which must fit into one part. What it says already is done.
    pub async fn edit(&self, message_id: &str, message: Message) -> Result<Receipt> {
        let operation = Operation::begin(&self.0.host, "telegram.edit").with_provider(CHANNEL);
        let inside = operation.clone();
        let ((), receipt) = operation
            .run(async move {
                let (_, account) = self.token()?;
                let conversation = outbound::target(CHANNEL, account, &message.conversation)?;
                let edit = outbound::edit(&conversation, message_id, &message)?;
                let request = self
                    .request("editMessageText", "telegram.editMessageText")?
                    .with_json(&edit)?;
                // The same text twice is the same text.
                let reply = self
                    .0
                    .transport
                    .send(&inside, request.with_repeat(Repeat::Safe))
                    .await;
                match reply {
                    Ok(reply) => outbound::answer::<serde::de::IgnoredAny>(&reply.bytes().await?).map(|_| ()),
                    Err(error) if error.provider_reason() == Some(NOT_MODIFIED) => Ok(()),
                    Err(error) => Err(error),
                }
            })
            .await?;
        Ok(receipt)
    }

    /// Shows for five seconds that the bot is writing.
    pub async fn typing(&self, conversation: &str) -> Result<Receipt> {
        let operation = Operation::begin(&self.0.host, "telegram.typing").with_provider(CHANNEL);
        let inside = operation.clone();
        let ((), receipt) = operation
            .run(async move {
                let (_, account) = self.token()?;
                let action = outbound::typing(&outbound::target(CHANNEL, account, conversation)?)?;
                let request = self
                    .request("sendChatAction", "telegram.sendChatAction")?
                    .with_json(&action)?;
                let reply = self
                    .0
                    .transport
                    .send(&inside, request.with_repeat(Repeat::Safe))
                    .await?;
                outbound::answer::<bool>(&reply.bytes().await?).map(|_| ())
            })
            .await?;
        Ok(receipt)
    }

    /// A message as a send intent, for `work.commit(sends)`: "handled" and what is to be sent in one write.
    pub fn intent(&self, message: &Message) -> Result<NewIntent> {
        intent(self, message)
    }

    /// Asks who the bot is (`getMe`): proof that token and address are right.
    pub async fn probe(&self) -> Result<Probe> {
        let operation = Operation::begin(&self.0.host, self.operations().probe).with_provider(CHANNEL);
        let inside = operation.clone();
        let (user, receipt) = operation
            .run(async move {
                let request = self.request("getMe", "telegram.getMe")?.with_repeat(Repeat::Safe);
                let reply = self.0.transport.send(&inside, request).await?;
                outbound::answer::<User>(&reply.bytes().await?)
            })
            .await?;
        let mut probe = Probe::new(user.id.to_string(), receipt);
        probe.username = user.username;
        probe.name = Some(user.first_name).filter(|name| !name.is_empty());
        Ok(probe)
    }

    /// Reads verified bytes; see [`Channel::parse`].
    pub fn parse(&self, body: &Verified) -> Result<Vec<InboundEvent>> {
        Channel::parse(self, body)
    }

    /// Renders, splits and checks a message without sending it; see [`Channel::prepare`].
    pub fn prepare(&self, message: &Message) -> Result<Plan> {
        Channel::prepare(self, message)
    }

    /// The token, and the bot's id, which is its first half.
    fn token(&self) -> Result<&(Arc<Secret>, AccountId)> {
        if let Some(token) = self.0.token.get() {
            return Ok(token);
        }
        let secret = self.0.config.bot_token.reveal()?;
        let id = secret.expose().split_once(':').map(|(id, _)| id.to_owned());
        let Some(id) = id.filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())) else {
            return Err(Error::new(
                Code::InvalidConfig,
                "the bot token is not one: it has the form `123456:letters`",
            ));
        };
        Ok(self
            .0
            .token
            .get_or_init(|| (Arc::new(secret), AccountId::new(id))))
    }

    fn webhook_secrets(&self) -> Result<&[Secret]> {
        if let Some(secrets) = self.0.webhook_secrets.get() {
            return Ok(secrets);
        }
        let sources = &self.0.config.webhook_secrets;
        if sources.is_empty() {
            return Err(Error::new(
                Code::InvalidConfig,
                "no webhook secret is set, so every webhook call is refused",
            )
            .with_user_action("Set the secret that setWebhook was given as secret_token."));
        }
        let secrets: Vec<Secret> = sources
            .iter()
            .map(nbhd_core::secret::SecretSource::reveal)
            .collect::<Result<_>>()?;
        Ok(self.0.webhook_secrets.get_or_init(|| secrets))
    }

    fn request(&self, method: &str, label: &'static str) -> Result<nbhd_core::http::Request> {
        let (token, _) = self.token()?;
        outbound::request(
            &self.0.base,
            method,
            label,
            Authorization::PathSegment(token.clone()),
        )
    }
}

#[async_trait]
impl Channel for Telegram {
    fn host(&self) -> &Host {
        &self.0.host
    }

    fn capabilities(&self) -> &'static Capabilities {
        capabilities()
    }

    fn account(&self) -> Result<AccountId> {
        Ok(self.token()?.1.clone())
    }

    fn operations(&self) -> Operations {
        Operations::new("telegram.send", "telegram.receive", "telegram.probe")
    }

    fn verify(&self, call: &Webhook) -> Result<Verified> {
        ingress::shared_secret(&call.headers, SECRET_HEADER, self.webhook_secrets()?, &call.body)
    }

    fn parse(&self, body: &Verified) -> Result<Vec<InboundEvent>> {
        let (_, account) = self.token()?;
        let bot = inbound::Bot {
            channel: CHANNEL,
            account,
            username: self.0.config.username.as_deref(),
        };
        inbound::parse(bot, body.bytes())
    }

    fn prepare(&self, message: &Message) -> Result<Plan> {
        let (_, account) = self.token()?;
        outbound::prepare(
            outbound::target(CHANNEL, account, &message.conversation)?,
            message,
        )
    }

    async fn dispatch(&self, operation: &Operation, part: &Value) -> Result<Value> {
        let request = self
            .request("sendMessage", "telegram.sendMessage")?
            .with_json(part)?;
        let reply = self.0.transport.send(operation, request).await?;
        let sent = outbound::sent(&reply.bytes().await?)?;
        serde_json::to_value(sent)
            .map_err(|_| Error::new(Code::Internal, "a delivery cannot be written as JSON"))
    }

    async fn probe(&self) -> Result<Probe> {
        Telegram::probe(self).await
    }

    async fn send(&self, message: Message) -> Result<Delivery> {
        deliver(self, message).await
    }

    async fn receive(&self, call: Webhook) -> Result<Reply> {
        ingress::receive(self, call).await
    }
}

/// What the platform can do. Numbers: <https://core.telegram.org/bots/api> and <https://core.telegram.org/bots/faq>, Bot API 10.3.
pub fn capabilities() -> &'static Capabilities {
    static ROW: LazyLock<Capabilities> = LazyLock::new(|| {
        const MEGABYTE: u64 = 1024 * 1024;
        let media = |kind, megabytes| MediaLimit {
            kind,
            bytes: megabytes * MEGABYTE,
        };
        let rate = |scope: &str, count, seconds| RateLimit {
            scope: scope.to_owned(),
            count,
            seconds,
        };
        Capabilities {
            channel: CHANNEL.to_owned(),
            text_limit: render::TEXT_LIMIT,
            text_unit: Unit::Utf16,
            span_limit: Some(render::ENTITY_LIMIT),
            caption_limit: Some(1024),
            dialect: Dialect::Ranges,
            media: vec![
                media(AttachmentKind::Image, 10),
                media(AttachmentKind::Video, 50),
                media(AttachmentKind::Audio, 50),
                media(AttachmentKind::Voice, 50),
                media(AttachmentKind::File, 50),
            ],
            download_limit: Some(20 * MEGABYTE),
            edit: Edit::Always,
            threads: true,
            reactions: true,
            typing_seconds: Some(5.0),
            rate_limits: vec![
                rate("account", 30, 1.0),
                rate("conversation", 1, 1.0),
                rate("group", 20, 60.0),
            ],
            ack_seconds: None,
            dedupe: "update_id".to_owned(),
            // "Getting updates": an update that the bot has not received is kept for 24 hours, then dropped.
            redelivery_seconds: Some(24.0 * 60.0 * 60.0),
            // sendMessage takes no key of ours.
            send_dedupe_seconds: None,
            verification: Verification::SharedSecret,
        }
    });
    &ROW
}
