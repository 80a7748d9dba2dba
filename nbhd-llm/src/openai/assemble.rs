//! Tool calls from the pieces in which they come. Providers cut and number the pieces in ten ways; all end up here.
//!
//! What tells one call from the next, in this order: its id, its index, the end of its arguments (a JSON object that is
//! complete), its name. A piece that could belong to several calls is an error, never a guess.

use nbhd_core::{Code, Error, Outcome, Result};

use super::toolid::short_id;
use super::wire::CallDelta;
use crate::chat::ToolCall;

/// The calls of one answer, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Open>);

#[derive(Debug, Default)]
struct Open {
    index: Option<u64>,
    id: Option<String>,
    name: String,
    arguments: String,
    scan: Scan,
    /// Whether more than one piece has come.
    continued: bool,
}

impl Calls {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes one piece.
    pub(super) fn take(&mut self, delta: &CallDelta<'_>) -> Result<()> {
        // One provider's default for a missing id is the text "null".
        let id = delta.id.some().filter(|id| *id != "null");
        let (name, arguments) = delta.function.as_ref().map_or((None, ""), |function| {
            (function.name.some(), function.arguments.0.as_ref())
        });
        let place = self.place(delta.index, id, name, arguments)?;
        let call = if let Some(place) = place {
            self.0[place].continued = true;
            place
        } else {
            self.0.push(Open {
                index: delta.index,
                ..Open::default()
            });
            self.0.len() - 1
        };
        let open = &mut self.0[call];
        if open.id.is_none() {
            open.id = id.map(str::to_owned);
        }
        // The first name wins: later ones are empty or the same again.
        if open.name.is_empty() {
            name.unwrap_or_default().clone_into(&mut open.name);
        }
        self.append(call, arguments);
        Ok(())
    }

    /// All calls, whole. `seed` makes ids where the provider gave none.
    pub(super) fn finish(&mut self, seed: &str) -> Result<Vec<ToolCall>> {
        let mut calls: Vec<ToolCall> = Vec::with_capacity(self.0.len());
        for (place, open) in std::mem::take(&mut self.0).into_iter().enumerate() {
            if open.name.is_empty() {
                return Err(broken("a tool call has no name"));
            }
            let id = match open.id {
                Some(id) if calls.iter().all(|call| call.id != id) => id,
                _ => format!("call_{}", short_id(seed, place as u64, 16)),
            };
            calls.push(ToolCall::from_text(id, open.name, &open.arguments));
        }
        Ok(calls)
    }

    /// The call that a piece belongs to; none when it begins a new one.
    fn place(
        &self,
        index: Option<u64>,
        id: Option<&str>,
        name: Option<&str>,
        arguments: &str,
    ) -> Result<Option<usize>> {
        let at_index = |index: u64| self.0.iter().rposition(|open| open.index == Some(index));
        if let Some(id) = id {
            let same = self.0.iter().rposition(|open| {
                open.id.as_deref() == Some(id)
                    && (open.index == index || index.is_none() || open.index.is_none() || name.is_none())
            });
            if same.is_some() {
                return Ok(same);
            }
            // A new id begins a call, unless the index is known and the piece has no name of its own.
            let known = index.and_then(at_index).filter(|place| {
                let open = &self.0[*place];
                name.is_none() || (open.id.is_none() && open.name.as_str() == name.unwrap_or_default())
            });
            return Ok(known);
        }
        if let Some(index) = index {
            if let Some(place) = at_index(index) {
                let open = &self.0[place];
                let other = name.is_some_and(|name| name != open.name)
                    && !open.name.is_empty()
                    && (open.scan.complete || !arguments.is_empty());
                return Ok((!other).then_some(place));
            }
            return if name.is_some() {
                Ok(None)
            } else {
                self.only_open()
            };
        }
        let Some(last) = self.0.last() else {
            return if name.is_some() {
                Ok(None)
            } else {
                self.only_open()
            };
        };
        let last_place = Ok(Some(self.0.len() - 1));
        match name {
            None => last_place,
            Some(name) if name == last.name && !last.scan.complete && last.scan.started => last_place,
            Some(_) => Ok(None),
        }
    }

    /// The one call whose arguments are not complete: what a piece without any mark belongs to.
    fn only_open(&self) -> Result<Option<usize>> {
        let mut open = self.0.iter().enumerate().filter(|(_, open)| !open.scan.complete);
        match (open.next(), open.next()) {
            (Some((place, _)), None) => Ok(Some(place)),
            _ => Err(broken("a piece of a tool call belongs to no call or to several")),
        }
    }

    /// Appends arguments; an object that begins where one has ended is the next call of the same tool.
    fn append(&mut self, mut place: usize, mut arguments: &str) {
        loop {
            let open = &mut self.0[place];
            if open.scan.complete {
                let rest = arguments.trim_start();
                if !rest.starts_with('{') {
                    return;
                }
                if open.continued && open.arguments.trim() == "{}" {
                    // An empty object that stood there as a placeholder.
                    open.arguments.clear();
                    open.scan = Scan::default();
                } else if rest == open.arguments {
                    // The whole call once more.
                    return;
                } else {
                    let next = Open {
                        index: open.index,
                        name: open.name.clone(),
                        ..Open::default()
                    };
                    self.0.push(next);
                    place = self.0.len() - 1;
                }
                arguments = rest;
                continue;
            }
            let end = open.scan.end(arguments);
            open.arguments.push_str(&arguments[..end]);
            arguments = &arguments[end..];
            if arguments.is_empty() {
                return;
            }
        }
    }
}

/// Where a JSON object ends, found while its pieces come; each byte is looked at once.
#[derive(Debug, Default)]
struct Scan {
    depth: usize,
    in_text: bool,
    escaped: bool,
    started: bool,
    complete: bool,
}

impl Scan {
    /// Looks at the next piece; returns how much of it belongs to the object.
    fn end(&mut self, piece: &str) -> usize {
        for (place, byte) in piece.bytes().enumerate() {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => {
                    self.started = true;
                    self.depth += 1;
                }
                b'}' | b']' if self.started => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        self.complete = true;
                        return place + 1;
                    }
                }
                _ => {}
            }
        }
        piece.len()
    }
}

fn broken(what: &str) -> Error {
    Error::new(Code::ProtocolError, what).with_outcome(Outcome::Unknown)
}

#[cfg(test)]
mod tests {
    use super::Calls;
    use crate::chat::ToolCall;
    use crate::openai::wire::CallDelta;
    use nbhd_core::Code;
    use serde_json::{Value, json};

    fn assemble(deltas: &[Value]) -> nbhd_core::Result<Vec<ToolCall>> {
        let mut calls = Calls::default();
        for delta in deltas {
            let text = delta.to_string();
            let delta: CallDelta<'_> = serde_json::from_str(&text).unwrap();
            calls.take(&delta)?;
        }
        calls.finish("answer-1")
    }

    fn shown(deltas: &[Value]) -> Vec<(String, String, Value)> {
        let calls = assemble(deltas).unwrap();
        calls
            .into_iter()
            .map(|call| (call.id, call.name, call.arguments))
            .collect()
    }

    fn call(id: &str, name: &str, arguments: Value) -> (String, String, Value) {
        (id.to_owned(), name.to_owned(), arguments)
    }

    fn piece(index: Option<u64>, id: Option<&str>, name: Option<&str>, arguments: Value) -> Value {
        let mut piece = json!({"function": {"arguments": arguments}});
        if let Some(index) = index {
            piece["index"] = json!(index);
        }
        if let Some(id) = id {
            piece["id"] = json!(id);
        }
        if let Some(name) = name {
            piece["function"]["name"] = json!(name);
        }
        piece
    }

    #[test]
    fn a_id_only_first_and_interleaved_by_index() {
        let deltas = [
            piece(Some(0), Some("a"), Some("f"), json!("")),
            piece(Some(1), Some("b"), Some("g"), json!("")),
            piece(Some(0), None, None, json!("{\"x\":")),
            piece(Some(1), None, None, json!("{\"y\":")),
            piece(Some(0), None, None, json!("1}")),
            piece(Some(1), None, None, json!("2}")),
        ];
        assert_eq!(
            shown(&deltas),
            [call("a", "f", json!({"x": 1})), call("b", "g", json!({"y": 2}))]
        );
    }

    #[test]
    fn b_id_and_name_on_each_piece() {
        let deltas = [
            piece(Some(0), Some("a"), Some("f"), json!("{\"x\"")),
            piece(Some(0), Some("a"), Some("f"), json!(":1}")),
        ];
        assert_eq!(shown(&deltas), [call("a", "f", json!({"x": 1}))]);
    }

    #[test]
    fn c_the_same_index_with_a_new_id_is_a_new_call() {
        let deltas = [
            piece(Some(0), Some("a"), Some("f"), json!("{\"x\":1}")),
            piece(Some(0), Some("b"), Some("f"), json!("{\"x\":2}")),
        ];
        assert_eq!(
            shown(&deltas),
            [call("a", "f", json!({"x": 1})), call("b", "f", json!({"x": 2}))]
        );
    }

    #[test]
    fn d_a_wandering_index_belongs_to_the_only_open_call() {
        let deltas = [
            piece(Some(0), Some("a"), Some("f"), json!("{\"x\":")),
            piece(Some(1), None, None, json!("1")),
            piece(Some(2), None, None, json!("}")),
        ];
        assert_eq!(shown(&deltas), [call("a", "f", json!({"x": 1}))]);
        let ambiguous = [
            piece(Some(0), Some("a"), Some("f"), json!("{\"x\":")),
            piece(Some(1), Some("b"), Some("g"), json!("{\"y\":")),
            piece(Some(2), None, None, json!("1}")),
        ];
        assert_eq!(assemble(&ambiguous).unwrap_err().code(), Code::ProtocolError);
    }

    #[test]
    fn e_an_index_that_begins_at_one() {
        let deltas = [
            piece(Some(1), Some("a"), Some("f"), json!("")),
            piece(Some(1), None, None, json!("{}")),
        ];
        assert_eq!(shown(&deltas), [call("a", "f", json!({}))]);
    }

    #[test]
    fn f_no_index_at_all() {
        let deltas = [
            piece(None, Some("a"), Some("f"), json!("{\"x\":")),
            piece(None, None, None, json!("1}")),
            piece(None, Some("b"), Some("f"), json!("{\"x\":2}")),
        ];
        assert_eq!(
            shown(&deltas),
            [call("a", "f", json!({"x": 1})), call("b", "f", json!({"x": 2}))]
        );
        let without_ids = [
            piece(None, None, Some("f"), json!("{\"x\":1}")),
            piece(None, None, Some("g"), json!("{\"x\":2}")),
        ];
        let calls = assemble(&without_ids).unwrap();
        assert_eq!(calls.len(), 2);
        assert!(calls[0].id.starts_with("call_") && calls[0].id != calls[1].id);
    }

    #[test]
    fn g_h_whole_calls_with_arguments_of_every_kind() {
        for arguments in [json!({}), json!("{}"), json!(""), Value::Null] {
            assert_eq!(
                shown(&[piece(Some(0), Some("a"), Some("f"), arguments.clone())]),
                [call("a", "f", json!({}))],
                "{arguments}"
            );
        }
        assert_eq!(
            shown(&[piece(Some(0), Some("a"), Some("f"), json!({"x": "}{"}))]),
            [call("a", "f", json!({"x": "}{"}))]
        );
        let missing = json!({"index": 0, "id": "a", "function": {"name": "f"}});
        assert_eq!(shown(&[missing]), [call("a", "f", json!({}))]);
    }

    #[test]
    fn i_the_first_name_wins() {
        let deltas = [
            piece(Some(0), Some("a"), Some("search"), json!("")),
            piece(Some(0), None, Some(""), json!("{\"q\":")),
            piece(Some(0), None, Some("search"), json!("1}")),
        ];
        assert_eq!(shown(&deltas), [call("a", "search", json!({"q": 1}))]);
    }

    #[test]
    fn j_an_object_after_an_object_is_a_new_call() {
        let deltas = [
            piece(Some(0), Some("a"), Some("f"), json!("{\"x\":1}")),
            piece(Some(0), None, None, json!("{\"x\":2}")),
        ];
        let calls = assemble(&deltas).unwrap();
        assert_eq!(calls.len(), 2);
        assert_eq!((&calls[1].name[..], &calls[1].arguments), ("f", &json!({"x": 2})));
        let glued = assemble(&[piece(
            Some(0),
            Some("a"),
            Some("f"),
            json!("{\"x\":1} {\"x\":\"{\"}"),
        )])
        .unwrap();
        assert_eq!(glued.len(), 2);
    }

    #[test]
    fn an_empty_object_may_be_a_placeholder() {
        let deltas = [
            piece(Some(0), Some("a"), Some("f"), json!("{}")),
            piece(Some(0), None, None, json!("{\"x\":")),
            piece(Some(0), None, None, json!("1}")),
        ];
        assert_eq!(shown(&deltas), [call("a", "f", json!({"x": 1}))]);
    }

    #[test]
    fn ids_are_never_shared_and_a_call_needs_a_name() {
        let deltas = [
            piece(Some(0), Some("same"), Some("f"), json!("{\"x\":1}")),
            piece(Some(1), Some("same"), Some("g"), json!("{\"x\":2}")),
        ];
        let calls = assemble(&deltas).unwrap();
        assert_eq!(calls.len(), 2);
        assert_ne!(calls[0].id, calls[1].id);
        assert_eq!(
            shown(&[piece(Some(0), Some("null"), Some("f"), json!(""))])[0]
                .0
                .len(),
            21
        );
        assert_eq!(
            assemble(&[piece(Some(0), Some("a"), None, json!("{}"))])
                .unwrap_err()
                .code(),
            Code::ProtocolError
        );
    }
}
