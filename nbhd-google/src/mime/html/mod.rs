//! HTML mail as readable text: blocks and table cells kept apart, links once, nothing that the reader was not meant to see.
//!
//! One pass over the tokens of `html5gum`, no tree; time and memory grow linearly with the input. What the reader does not see
//! (hidden preheaders, styles, scripts, comments, tracking pixels) is dropped. See `docs/decisions/0006-html-to-text.md`.

mod render;
mod style;
mod tag;

use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::emitters::{Emitter, ForwardingEmitter};
use html5gum::{Span, Tokenizer};

use render::Renderer;

/// The readable text of an HTML body, with `\n` line ends and no blank lines at its ends.
///
/// ```
/// let html = "<p>Dear&nbsp;Ada,<p>see <a href='https://example.com/x'>the plan</a>.<div style='display:none'>preview</div>";
/// assert_eq!(nbhd_google::mime::html_to_text(html), "Dear Ada,\n\nsee the plan <https://example.com/x>.");
/// ```
pub fn html_to_text(html: &str) -> String {
    super::steps::look(html.len());
    let mut renderer = Renderer::new(html.len());
    let mut emitter = CallbackEmitter::new(
        |event: CallbackEvent<'_>, _span: Span<()>| -> Option<Infallible> {
            match event {
                CallbackEvent::OpenStartTag { name } => renderer.open(name),
                CallbackEvent::AttributeName { name } => renderer.attribute(name),
                CallbackEvent::AttributeValue { value } => renderer.value(value),
                CallbackEvent::CloseStartTag { .. } => renderer.opened(),
                CallbackEvent::EndTag { name } => renderer.close(name),
                CallbackEvent::String { value } => renderer.text(&String::from_utf8_lossy(value)),
                CallbackEvent::Comment { .. } | CallbackEvent::Doctype { .. } | CallbackEvent::Error(_) => {}
            }
            None
        },
    );
    emitter.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(html, Lenient(emitter)).finish();
    renderer.finish()
}

/// Hears of no error in the HTML: finding them is half of the tokenizer's work.
struct Lenient<E>(E);

impl<E: Emitter> ForwardingEmitter for Lenient<E> {
    type Token = E::Token;

    fn inner(&mut self) -> &mut impl Emitter<Token = Self::Token> {
        &mut self.0
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }
}
