//! From a JSON Schema to the shape of a type. An alternative of a tagged type gets a name of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::model::{Definition, Field, Kind, Shape, last};

/// The schemas of one direction, and how they are read.
pub(super) struct Reading<'a> {
    pub(super) schemas: &'a Map<String, Value>,
    /// The types that are called `…Input` here.
    pub(super) renamed: &'a BTreeSet<String>,
    /// What a time is.
    pub(super) moment: Kind,
    pub(super) as_written: bool,
}

/// Reads types into the model.
pub(super) struct Reader<'a> {
    reading: Reading<'a>,
    types: &'a mut BTreeMap<String, Definition>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(reading: Reading<'a>, types: &'a mut BTreeMap<String, Definition>) -> Self {
        Self { reading, types }
    }

    /// Adds the type of this name.
    pub(super) fn define(&mut self, name: &str, schema: &Value) {
        let name = self.name(name);
        let doc = text(schema, "description");
        self.define_as(&name, doc, schema);
    }

    fn define_as(&mut self, name: &str, doc: String, schema: &Value) {
        let properties = self.properties(schema);
        let shape = if properties.is_empty() {
            Shape::Alias(self.kind(schema, name))
        } else {
            let fields = properties
                .iter()
                .map(|(field, property, required)| Field {
                    name: field.clone(),
                    doc: text(property, "description"),
                    kind: self.kind(property, &format!("{name}{}", camel(field))),
                    required: *required,
                })
                .collect();
            match schema.get("additionalProperties") {
                Some(Value::Bool(true) | Value::Object(_)) => Shape::OpenFields(fields),
                _ => Shape::Fields(fields),
            }
        };
        self.types.insert(
            name.to_owned(),
            Definition {
                doc,
                shape,
                as_written: self.reading.as_written,
            },
        );
    }

    /// The fields of an object, with those of a type that is flattened into it.
    fn properties(&self, schema: &Value) -> Vec<(String, Value, bool)> {
        let mut all = Vec::new();
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (name, property) in properties {
                all.push((name.clone(), property.clone(), is_required(schema, name)));
            }
            if let Some(path) = schema.get("$ref").and_then(Value::as_str)
                && let Some(held) = self.reading.schemas.get(last(path))
            {
                all.extend(self.properties(held));
            }
        }
        all
    }

    fn name(&self, name: &str) -> String {
        if self.reading.renamed.contains(name) {
            format!("{name}Input")
        } else {
            name.to_owned()
        }
    }

    /// The type of a value; `hint` is its name, should it need one.
    fn kind(&mut self, schema: &Value, hint: &str) -> Kind {
        if let Some(path) = schema.get("$ref").and_then(Value::as_str)
            && schema.get("properties").is_none()
        {
            return Kind::Named(self.name(last(path)));
        }
        if let Some(value) = schema.get("const").and_then(Value::as_str) {
            return Kind::Literal(value.to_owned());
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return either(values.iter().map(|value| {
                value
                    .as_str()
                    .map_or(Kind::Null, |text| Kind::Literal(text.to_owned()))
            }));
        }
        for key in ["oneOf", "anyOf"] {
            if let Some(alternatives) = schema.get(key).and_then(Value::as_array) {
                let kinds: Vec<Kind> = alternatives
                    .iter()
                    .map(|alternative| self.kind(alternative, &format!("{hint}{}", tag(alternative))))
                    .collect();
                return either(kinds.into_iter());
            }
        }
        if let Some([only]) = schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
            return self.kind(only, hint);
        }
        match schema.get("type") {
            Some(Value::Array(names)) => {
                let kinds: Vec<Kind> = names
                    .iter()
                    .filter_map(Value::as_str)
                    .map(|name| self.of_type(name, schema, hint))
                    .collect();
                either(kinds.into_iter())
            }
            Some(Value::String(name)) => self.of_type(name, schema, hint),
            _ => Kind::Any,
        }
    }

    fn of_type(&mut self, name: &str, schema: &Value, hint: &str) -> Kind {
        match name {
            "null" => Kind::Null,
            "boolean" => Kind::Boolean,
            "integer" => Kind::Integer,
            "number" => Kind::Number,
            "string" => match schema.get("format").and_then(Value::as_str) {
                Some("date-time") => self.reading.moment.clone(),
                _ => Kind::Text,
            },
            "array" => match schema.get("prefixItems").and_then(Value::as_array) {
                Some(items) => Kind::Tuple(items.iter().map(|item| self.kind(item, hint)).collect()),
                None => Kind::List(Box::new(
                    schema
                        .get("items")
                        .map_or(Kind::Any, |items| self.kind(items, hint)),
                )),
            },
            "object" if schema.get("properties").is_some() => {
                self.define_as(hint, text(schema, "description"), schema);
                Kind::Named(hint.to_owned())
            }
            "object" => Kind::Map(Box::new(
                schema
                    .get("additionalProperties")
                    .map_or(Kind::Any, |value| self.kind(value, hint)),
            )),
            _ => Kind::Any,
        }
    }
}

/// What tells an alternative from the others, as part of a name: the value of its tag, or its only field.
fn tag(alternative: &Value) -> String {
    let Some(properties) = alternative.get("properties").and_then(Value::as_object) else {
        return String::new();
    };
    properties
        .values()
        .find_map(|property| property.get("const").and_then(Value::as_str))
        .or_else(|| properties.keys().next().map(String::as_str))
        .map(camel)
        .unwrap_or_default()
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema
        .get("required")
        .and_then(Value::as_array)
        .is_some_and(|names| names.iter().any(|known| known == name))
}

fn either(kinds: impl Iterator<Item = Kind>) -> Kind {
    let mut all: Vec<Kind> = Vec::new();
    for kind in kinds {
        let parts = match kind {
            Kind::Either(parts) => parts,
            one => vec![one],
        };
        for part in parts {
            if !all.contains(&part) {
                all.push(part);
            }
        }
    }
    if all.contains(&Kind::Any) {
        return Kind::Any;
    }
    match all.len() {
        1 => all.remove(0),
        _ => Kind::Either(all),
    }
}

fn text(schema: &Value, key: &str) -> String {
    let text = schema.get(key).and_then(Value::as_str).unwrap_or_default();
    super::doc::plain(text)
}

/// `retry_after` as `RetryAfter`.
fn camel(name: &str) -> String {
    name.split(['_', '-'])
        .map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        })
        .collect()
}
