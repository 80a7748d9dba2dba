//! One chat request and one answer for all providers: plain data, printable and comparable.
//!
//! ```
//! use nbhd_llm::chat::Chat;
//!
//! let chat = Chat::user("What needs my attention?").with_purpose("general").with_scopes(["tenant:42"]);
//! assert_eq!(chat.messages[0].text(), "What needs my attention?");
//! ```

mod answer;
mod message;
mod request;
mod stream;
mod tool;
mod usage;

pub use answer::{Answer, Cost, CostBasis, FinishReason, ModelAttempt, OutputCap};
pub use message::{Content, ImageDetail, Media, Message, Part, ProviderBlocks, Role};
pub use request::{Chat, OutputSchema, ReasoningEffort};
pub use stream::StreamEvent;
pub use tool::{Tool, ToolCall, ToolChoice};
pub use usage::Usage;
