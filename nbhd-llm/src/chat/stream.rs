//! What a stream yields. A failure is raised, never yielded.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Cost, ToolCall, Usage};

/// One event of a stream, in this order: `started`, then `text` and `reasoning` as they come, then `tool_call`s, `usage`
/// at most once, `finished`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StreamEvent {
    /// A model has begun to answer: from here on it is this one.
    Started {
        /// The provider that answers.
        provider: String,
        /// The model that answers.
        model: String,
    },
    /// More text.
    Text {
        /// The text.
        text: String,
    },
    /// More of what the model lets see of its reasoning.
    Reasoning {
        /// The text.
        text: String,
    },
    /// A tool is to be called; given once, whole.
    ToolCall {
        /// Its place among the calls of this answer, from 0.
        index: usize,
        /// The call.
        #[serde(flatten)]
        call: ToolCall,
    },
    /// What it used and cost.
    Usage {
        /// In disjoint buckets.
        usage: Usage,
        /// What it cost.
        cost: Cost,
    },
    /// The end, with the whole answer.
    Finished {
        /// The whole answer.
        answer: Box<Answer>,
    },
}

#[cfg(test)]
mod tests {
    use super::StreamEvent;
    use crate::chat::ToolCall;
    use serde_json::json;

    #[test]
    fn an_event_names_its_type() {
        let event = StreamEvent::Text { text: "a".to_owned() };
        assert_eq!(
            serde_json::to_value(&event).unwrap(),
            json!({"type": "text", "text": "a"})
        );
        let call = ToolCall::new("1", "weather", json!({"city": "Rome"}));
        let event = StreamEvent::ToolCall { index: 0, call };
        let value = serde_json::to_value(&event).unwrap();
        assert_eq!(
            serde_json::from_value::<StreamEvent>(value.clone()).unwrap(),
            event
        );
        assert_eq!(
            value,
            json!({"type": "tool_call", "index": 0, "id": "1", "name": "weather", "arguments": {"city": "Rome"}})
        );
    }
}
