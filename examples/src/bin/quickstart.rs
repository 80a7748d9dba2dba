//! One turn of an assistant, offline: stand-ins take the places of Google, the model and Telegram.

use nbhd_channels::{Message, testkit::Telegram};
use nbhd_core::Host;
use nbhd_google::{gmail::ListMessages, testkit::GoogleSetup};
use nbhd_llm::{Chat, Router, RouterConfig, testkit::ModelStandIn};

#[tokio::main]
async fn main() -> nbhd_core::Result<()> {
    let (google, models, chat) = (
        GoogleSetup::new().start()?,
        ModelStandIn::start()?,
        Telegram::start()?,
    );
    google.deliver("From: Ada <ada@example.com>\nSubject: The offer\n\nCould you answer by noon?\n")?;

    let host = Host::new("memory:")?; // "sqlite:nbhd.db" keeps its state
    let account = google.client(&host)?.account("tenant-42");
    let telegram = chat.client(&host)?;
    let mut config = RouterConfig::from_toml(
        r#"purpose.general = { chain = ["openai/gpt-4o-mini"], scopes = ["tenant"] }
           budget.tenant   = { day = "2.00 USD" }"#,
    )?;
    config.provider.insert("openai".into(), models.config("openai"));
    let router = Router::new(&host, config)?;

    let call = chat.say(4711, "What needs my attention?"); // a webhook call: verified and stored
    telegram.receive_pairs(call.header_pairs(), &call.body).await?;
    while let Some(work) = host.inbox().claim().await? {
        let (id, data) = (&work.event().id, &work.event().data);
        let mut question = data["text"].as_str().unwrap_or_default().to_owned();
        let unread = ListMessages::new().with_query("is:unread").with_limit(20);
        for mail in account.gmail().list_messages(unread).await? {
            let subject = mail.subject.as_deref().unwrap_or_default();
            question += &format!("\ngmail:{} | Subject: {subject}", mail.id);
        }
        let asked = Chat::user(question)
            .with_purpose("general")
            .with_scopes(["tenant:42"]);
        let answer = router.chat(asked).await?;
        let conversation = data["conversation"].as_str().unwrap_or_default();
        telegram
            .send(Message::text(conversation, &answer.text).with_key(format!("answer:{id}")))
            .await?;
        work.done().await?;
        println!("{}\n({} USD)", answer.text, answer.cost.usd);
    }
    Ok(())
}
