//! The data types of the public surface: what calls take and what they return.
//!
//! A type that crosses the border of a binding and is missing here is missed by the type checkers of both languages,
//! because the signatures name it.

use super::model::{Model, Surface};

pub(super) fn model() -> Result<Model, String> {
    let mut surface = Surface::default();
    core(&mut surface);
    google(&mut surface);
    llm(&mut surface);
    channels(&mut surface);
    surface.model()
}

fn core(surface: &mut Surface) {
    surface
        .output::<nbhd_core::error::ErrorData>()
        .output::<nbhd_core::Receipt>()
        .input::<nbhd_core::secure::SecureRequest>()
        .output::<nbhd_core::secure::SecureAnswer>()
        .output::<nbhd_core::transport::BreakerState>()
        .input::<nbhd_core::inbox::NewEvent>()
        .output::<nbhd_core::inbox::Event>()
        .output::<nbhd_core::inbox::Accepted>()
        .output::<nbhd_core::inbox::DeadLetter>()
        .input::<nbhd_core::inbox::Ingest>()
        .output::<nbhd_core::inbox::Ingested>()
        .output::<nbhd_core::outbox::Intent>()
        .input::<nbhd_core::store::Write>()
        .output::<nbhd_core::store::Record>()
        .output::<nbhd_core::store::Entry>()
        .input::<nbhd_core::queue::QueueRules>()
        .input::<nbhd_core::queue::NewJob>()
        .input::<nbhd_core::queue::ListJobs>()
        .output::<nbhd_core::queue::Dispatched>()
        .output::<nbhd_core::queue::Job>()
        .output::<nbhd_core::queue::JobView>()
        .output::<nbhd_core::queue::JobEnd>()
        .output::<nbhd_core::queue::DeadJob>()
        .output::<nbhd_core::queue::Activity>()
        .input::<nbhd_core::limit::Limit>()
        .output::<nbhd_core::outbox::NewIntent>()
        .output::<nbhd_core::audit::AuditEvent>()
        .output::<nbhd_core::audit::RunRecord>()
        .output::<nbhd_core::listener::Exposure>()
        .output::<nbhd_core::secret::SecretStatus>()
        .input::<nbhd_core::vault::RecordPlace>()
        .output::<nbhd_core::vault::VaultStatus>()
        .output::<nbhd_core::window::Span>();
}

fn google(surface: &mut Surface) {
    surface
        .input::<nbhd_google::Endpoints>()
        .output::<nbhd_google::Connection>()
        .input::<nbhd_google::gmail::ListMessages>()
        .output::<nbhd_google::gmail::MessageCard>()
        .output::<nbhd_google::gmail::Message>()
        .input::<nbhd_google::calendar::ListEvents>()
        .output::<nbhd_google::calendar::Event>()
        .input::<nbhd_google::calendar::FreeBusy>()
        .output::<nbhd_google::calendar::FreeBusyAnswer>()
        .input::<nbhd_google::brief::BriefInput>()
        .output::<nbhd_google::brief::Brief>();
}

fn llm(surface: &mut Surface) {
    surface
        .configuration::<nbhd_llm::RouterConfig>()
        .input::<nbhd_llm::Chat>()
        .output::<nbhd_llm::chat::Answer>()
        .output::<nbhd_llm::chat::StreamEvent>()
        .output::<nbhd_llm::router::Explanation>()
        .output::<nbhd_llm::router::Status>()
        .output::<nbhd_llm::budget::Spend>()
        .output::<nbhd_llm::budget::Remaining>()
        .output::<nbhd_llm::testkit::Bill>();
}

fn channels(surface: &mut Surface) {
    surface
        .input::<nbhd_channels::Message>()
        .output::<nbhd_channels::InboundEvent>()
        .output::<nbhd_channels::Delivery>()
        .output::<nbhd_channels::Reply>()
        .output::<nbhd_channels::Probe>()
        .output::<nbhd_channels::testkit::SentMessage>();
}
