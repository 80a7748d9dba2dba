//! JSON of a wanted shape, filled with what was given: nothing is invented but the words that say so.

use serde_json::{Map, Value, json};

use super::extract::{CONFESSION, Item, items, prompt, said};

/// How deep a shape is followed: a schema may refer to itself.
const DEPTH: usize = 12;

/// A value of the shape `schema`, filled from the request.
pub(super) fn answer(schema: &Value, request: &Value) -> Value {
    let items = items(&prompt(request));
    Filler {
        root: schema,
        items: &items,
    }
    .value(schema, "", None, DEPTH)
}

/// Arguments of the shape `schema` for a tool, filled from what the user said: what stands in quotes first, else the last name.
pub(super) fn arguments(schema: &Value, request: &Value) -> Value {
    let asked = request["messages"]
        .as_array()
        .into_iter()
        .flatten()
        .rev()
        .find(|message| message["role"] == "user")
        .map(said)
        .unwrap_or_default();
    let mut found = quoted(&asked);
    if found.is_empty() {
        let names = asked
            .split(|letter: char| !letter.is_alphanumeric())
            .skip(1)
            .filter(|word| word.chars().next().is_some_and(char::is_uppercase));
        found = names.map(str::to_owned).collect();
    }
    let mut found = found.into_iter();
    let mut object = Map::new();
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, shape) in schema["properties"].as_object().into_iter().flatten() {
        if !required.contains(&name.as_str()) {
            continue;
        }
        let filler = Filler {
            root: schema,
            items: &[],
        };
        let value = match (shape["type"].as_str(), shape["enum"].as_array()) {
            (_, Some(choices)) => choices.first().cloned().unwrap_or_default(),
            (Some("string"), None) => Value::String(found.next().unwrap_or_else(|| asked.trim().to_owned())),
            _ => filler.value(shape, name, None, DEPTH),
        };
        object.insert(name.clone(), value);
    }
    Value::Object(object)
}

fn quoted(text: &str) -> Vec<String> {
    text.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

struct Filler<'a> {
    root: &'a Value,
    items: &'a [Item],
}

impl Filler<'_> {
    fn value(&self, schema: &Value, name: &str, item: Option<&Item>, depth: usize) -> Value {
        if depth == 0 {
            return Value::Null;
        }
        if let Some(path) = schema["$ref"].as_str() {
            let target = self.root.pointer(path.trim_start_matches('#'));
            return target.map_or(Value::Null, |target| self.value(target, name, item, depth - 1));
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(choices) = schema["enum"].as_array() {
            return choose(choices, name, item);
        }
        for many in ["anyOf", "oneOf", "allOf"] {
            if let Some(options) = schema[many].as_array() {
                return self.option(options, name, item, depth);
            }
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(kind) => vec![kind],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ if schema["properties"].is_object() => vec!["object"],
            _ => vec!["string"],
        };
        let nullable = kinds.contains(&"null");
        match kinds
            .iter()
            .find(|kind| **kind != "null")
            .copied()
            .unwrap_or("null")
        {
            "object" => self.object(schema, name, item, depth),
            "array" => self.array(schema, name, item, depth),
            "number" => json!(schema["minimum"].as_f64().unwrap_or(0.0).max(0.5)),
            "integer" => json!(
                schema["minimum"]
                    .as_i64()
                    .unwrap_or(0)
                    .max(count(name, self.items))
            ),
            "boolean" => Value::Bool(item.is_some_and(|item| says(item, name))),
            "string" => match text(name, item) {
                Some(text) => Value::String(text),
                None if nullable => Value::Null,
                None => Value::String(CONFESSION.to_owned()),
            },
            _ => Value::Null,
        }
    }

    /// The first option that is no `null`, unless nothing can be said there.
    fn option(&self, options: &[Value], name: &str, item: Option<&Item>, depth: usize) -> Value {
        let nullable = options.iter().any(|option| option["type"] == "null");
        let plain = options.iter().find(|option| option["type"] != "null");
        match plain {
            Some(option) if nullable && option["type"] == "string" => {
                text(name, item).map_or(Value::Null, Value::String)
            }
            Some(option) => self.value(option, name, item, depth - 1),
            None => Value::Null,
        }
    }

    fn object(&self, schema: &Value, _name: &str, item: Option<&Item>, depth: usize) -> Value {
        let mut object = Map::new();
        for (name, shape) in schema["properties"].as_object().into_iter().flatten() {
            object.insert(name.clone(), self.value(shape, name, item, depth - 1));
        }
        Value::Object(object)
    }

    /// A list of things has one for each item that its name speaks of; a list of texts says who wrote.
    fn array(&self, schema: &Value, name: &str, item: Option<&Item>, depth: usize) -> Value {
        let shape = &schema["items"];
        let limit = schema["maxItems"]
            .as_u64()
            .map_or(usize::MAX, |limit| limit as usize);
        let lower = name.to_lowercase();
        let is_reference = |name: &str| name.contains("ref") || name.contains("source");
        if let Some(item) = item {
            let one = if is_reference(&lower) {
                vec![Value::String(item.reference.clone())]
            } else {
                Vec::new()
            };
            return Value::Array(one);
        }
        let is_text = self.kind(shape) == "string";
        if is_text && !is_reference(&lower) {
            return json!([CONFESSION]);
        }
        let chosen = self
            .items
            .iter()
            .filter(|item| speaks_of(&lower, item))
            .take(limit);
        if is_text {
            return chosen.map(|item| Value::String(item.reference.clone())).collect();
        }
        chosen
            .map(|item| self.value(shape, name, Some(item), depth - 1))
            .collect()
    }

    fn kind<'s>(&'s self, schema: &'s Value) -> &'s str {
        let schema = match schema["$ref"].as_str() {
            Some(path) => self.root.pointer(path.trim_start_matches('#')).unwrap_or(schema),
            None => schema,
        };
        let fallback = if schema["properties"].is_object() {
            "object"
        } else {
            "string"
        };
        schema["type"].as_str().unwrap_or(fallback)
    }
}

/// Whether the list called `name` would hold `item`.
fn speaks_of(name: &str, item: &Item) -> bool {
    let any = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if any(&["conflict", "overlap"]) {
        return !item.is_mail() && item.words.contains("conflict");
    }
    if any(&["action", "task", "todo"]) {
        return item.is_task();
    }
    if any(&["unread"]) {
        return item.is_mail() && item.words.contains("unread");
    }
    if any(&["priority", "important", "urgent"]) {
        return item.is_mail()
            && ["urgent", "important", "priority"]
                .iter()
                .any(|word| item.words.contains(word));
    }
    if any(&["mail", "inbox", "message", "new"]) {
        return item.is_mail();
    }
    if any(&["calendar", "event", "meeting", "today", "next", "agenda"]) {
        return !item.is_mail();
    }
    true
}

/// What a text called `name` says of `item`.
fn text(name: &str, item: Option<&Item>) -> Option<String> {
    let item = item?;
    let name = name.to_lowercase();
    let is = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if name == "id" || is(&["ref", "source"]) {
        return Some(item.reference.clone());
    }
    if is(&["from", "sender", "organi", "who"]) {
        return item.from.clone();
    }
    if is(&["end"]) && !is(&["sender"]) {
        return item.end.clone();
    }
    if is(&["date", "time", "start", "when", "due", "received"]) {
        return item.time.clone();
    }
    if is(&["location", "place", "where"]) {
        return item.place.clone();
    }
    Some(item.title().to_owned())
}

fn says(item: &Item, name: &str) -> bool {
    let word = name.trim_start_matches("is_").replace('_', " ");
    item.words.contains(&word)
}

fn choose(choices: &[Value], name: &str, item: Option<&Item>) -> Value {
    let spoken = item.and_then(|item| {
        choices.iter().find(|choice| {
            choice
                .as_str()
                .is_some_and(|choice| item.words.contains(&choice.to_lowercase()))
        })
    });
    let careful = choices.iter().find(|choice| {
        name.contains("confidence")
            && choice
                .as_str()
                .is_some_and(|choice| choice.eq_ignore_ascii_case("low"))
    });
    spoken
        .or(careful)
        .or(choices.first())
        .cloned()
        .unwrap_or_default()
}

/// How many items a number's name speaks of.
fn count(name: &str, items: &[Item]) -> i64 {
    let name = name.to_lowercase();
    if name.contains("count") || name.contains("total") {
        return items.iter().filter(|item| speaks_of(&name, item)).count() as i64;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::{answer, arguments};
    use serde_json::json;

    #[test]
    fn a_shape_is_filled_with_what_was_given() {
        let schema = json!({
            "type": "object",
            "properties": {
                "inbox": {"type": "array", "items": {"$ref": "#/$defs/Mail"}},
                "action_items": {"type": "array", "items": {
                    "type": "object",
                    "properties": {
                        "task": {"type": "string"},
                        "due": {"type": ["string", "null"]},
                        "confidence": {"enum": ["high", "medium", "low"]},
                        "source_ref": {"type": "string"}
                    }
                }},
                "uncertainty_notes": {"type": "array", "items": {"type": "string"}}
            },
            "$defs": {"Mail": {"type": "object", "properties": {
                "source_ref": {"type": "string"}, "sender": {"type": "string"}, "subject": {"type": "string"}
            }}}
        });
        let request = json!({"messages": [{"role": "user", "content":
            "- gmail:a1\n  From: Ann\n  Subject: Please review\n- gmail:a2\n  From: Bob\n  Subject: Lunch\n\n- gcal:e1 Standup"}]});
        let filled = answer(&schema, &request);
        assert_eq!(
            filled["inbox"],
            json!([
                {"source_ref": "gmail:a1", "sender": "Ann", "subject": "Please review"},
                {"source_ref": "gmail:a2", "sender": "Bob", "subject": "Lunch"}
            ])
        );
        assert_eq!(
            filled["action_items"],
            json!([{"task": "Please review", "due": null, "confidence": "low", "source_ref": "gmail:a1"}])
        );
        assert!(
            filled["uncertainty_notes"][0]
                .as_str()
                .unwrap()
                .contains("stand-in")
        );
        let validator = jsonschema::validator_for(&schema).unwrap();
        assert!(validator.is_valid(&filled));
    }

    #[test]
    fn arguments_come_from_what_was_asked() {
        let schema = json!({"type": "object", "required": ["city", "unit"], "properties": {
            "city": {"type": "string"}, "unit": {"type": "string", "enum": ["c", "f"]}, "day": {"type": "string"}}});
        let request = json!({"messages": [{"role": "user", "content": "What is the weather in Rome?"}]});
        assert_eq!(arguments(&schema, &request), json!({"city": "Rome", "unit": "c"}));
        let request = json!({"messages": [{"role": "user", "content": "Weather in \"New York\"?"}]});
        assert_eq!(arguments(&schema, &request)["city"], "New York");
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        answer(&schema, &json!({"messages": []}));
    }
}
