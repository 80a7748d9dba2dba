//! The assistant brief: what came in, what is on today, what needs doing, and what is not certain.
//!
//! [`build`] makes one from fetched mail and events without any model; [`validate`] checks one that a model wrote: every
//! reference must be among what was fetched, titles must be as fetched, and nothing may be claimed as done, because reading
//! is all that happened. References are `gmail:<message id>` and `gcal:<event id>`.
//!
//! ```
//! use nbhd_google::brief::{BriefInput, BriefMessage, Fetched, build, validate};
//!
//! let input = BriefInput::new("2026-01-05T08:00:00+01:00".parse().unwrap(), "Europe/Berlin")
//!     .with_messages([BriefMessage::new("18c1").with_subject("Report").with_text("Please send the report by Friday.")]);
//! let brief = build(&input)?;
//! assert_eq!(brief.actions[0].due.as_deref(), Some("2026-01-09"));
//! assert_eq!(brief.actions[0].source_ref, "gmail:18c1");
//!
//! let made_up = r#"{"actions":[{"task":"Pay the bill","source_ref":"gmail:nobody"}]}"#;
//! assert!(validate(made_up, &Fetched::of(&input)).is_err());
//! # Ok::<(), nbhd_core::Error>(())
//! ```

mod actions;
mod build;
mod claims;
mod conflicts;
mod convert;
mod due;
mod input;
mod markdown;
mod moment;
mod report;
mod validate;
mod window;

pub use build::build;
pub use conflicts::{Overlap, overlaps};
pub use input::{BriefBusy, BriefEvent, BriefInput, BriefMessage, EventSpan, ResponseStatus};
pub use report::{
    ActionItem, Brief, CalendarBrief, CalendarItem, Confidence, Conflict, InboxBrief, InboxItem,
};
pub use validate::{BriefProblem, BriefProblems, Fetched, ProblemKind, validate, validate_value};
