//! Which fields of a type are declared, read from its JSON Schema: only those are renamed.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use schemars::JsonSchema;
use serde_json::{Map, Value};

/// The declared names of one type and of all that it holds.
pub(crate) struct Names {
    schema: Value,
}

static KNOWN: LazyLock<Mutex<HashMap<TypeId, Arc<Names>>>> = LazyLock::new(Mutex::default);

impl Names {
    /// The names of `T`, computed once.
    pub(crate) fn of<T: JsonSchema + 'static>() -> Arc<Names> {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let names = known.entry(TypeId::of::<T>()).or_insert_with(|| {
            Arc::new(Names {
                schema: schemars::schema_for!(T).to_value(),
            })
        });
        Arc::clone(names)
    }

    /// Renames declared fields for Node.
    pub(crate) fn to_camel(&self, value: Value) -> Value {
        self.outward(value, &[&self.schema])
    }

    /// Renames what Node wrote; a field that nothing declares is refused with the list of those that are.
    pub(crate) fn to_snake(&self, value: Value) -> Result<Value, String> {
        self.inward(value, &[&self.schema])
    }

    fn outward(&self, value: Value, schemas: &[&Value]) -> Value {
        let views = self.views(schemas);
        match value {
            Value::Object(fields) => {
                let mut out = Map::new();
                for (name, field) in fields {
                    let (declared, below) = field_of(&views, &name);
                    let shown = if declared { camel(&name) } else { name };
                    out.insert(shown, self.outward(field, &below));
                }
                Value::Object(out)
            }
            Value::Array(items) => {
                let below = items_of(&views);
                Value::Array(items.into_iter().map(|item| self.outward(item, &below)).collect())
            }
            other => other,
        }
    }

    fn inward(&self, value: Value, schemas: &[&Value]) -> Result<Value, String> {
        let views = self.views(schemas);
        match value {
            Value::Object(fields) => {
                let mut out = Map::new();
                for (shown, field) in fields {
                    // `undefined` never arrives here and `null` means the same: not given.
                    if field.is_null() {
                        continue;
                    }
                    let name = declared_names(&views)
                        .find(|name| camel(name) == shown)
                        .unwrap_or(&shown)
                        .to_owned();
                    let (declared, below) = field_of(&views, &name);
                    if !declared && closed(&views) {
                        let known: Vec<String> = declared_names(&views).map(camel).collect();
                        return Err(format!(
                            "unknown field `{shown}`, expected one of: {}",
                            known.join(", ")
                        ));
                    }
                    out.insert(name, self.inward(field, &below)?);
                }
                Ok(Value::Object(out))
            }
            Value::Array(items) => {
                let below = items_of(&views);
                items
                    .into_iter()
                    .map(|item| self.inward(item, &below))
                    .collect::<Result<_, _>>()
                    .map(Value::Array)
            }
            other => Ok(other),
        }
    }

    /// The schemas with references and alternatives opened.
    fn views<'a>(&'a self, schemas: &[&'a Value]) -> Vec<&'a Value> {
        let mut open: Vec<&Value> = schemas.to_vec();
        let mut views: Vec<&Value> = Vec::new();
        while let Some(schema) = open.pop() {
            if views.iter().any(|seen| std::ptr::eq(*seen, schema)) {
                continue;
            }
            views.push(schema);
            if let Some(name) = schema
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|path| path.rsplit('/').next())
                && let Some(target) = self.schema.get("$defs").and_then(|defs| defs.get(name))
            {
                open.push(target);
            }
            for key in ["anyOf", "oneOf", "allOf"] {
                open.extend(schema.get(key).and_then(Value::as_array).into_iter().flatten());
            }
        }
        views
    }
}

/// Whether `name` is a declared field, and the schemas of its value.
fn field_of<'a>(views: &[&'a Value], name: &str) -> (bool, Vec<&'a Value>) {
    let declared: Vec<&Value> = views
        .iter()
        .filter_map(|view| view.get("properties"))
        .filter_map(|fields| fields.get(name))
        .collect();
    if !declared.is_empty() {
        return (true, declared);
    }
    let rest = views
        .iter()
        .filter_map(|view| view.get("additionalProperties"))
        .filter(|rest| rest.is_object());
    (false, rest.collect())
}

fn items_of<'a>(views: &[&'a Value]) -> Vec<&'a Value> {
    views.iter().filter_map(|view| view.get("items")).collect()
}

fn declared_names<'a>(views: &[&'a Value]) -> impl Iterator<Item = &'a str> {
    let mut names: Vec<&'a str> = views
        .iter()
        .filter_map(|view| view.get("properties").and_then(Value::as_object))
        .flat_map(|fields| fields.keys().map(String::as_str))
        .collect();
    names.dedup();
    names.into_iter()
}

fn closed(views: &[&Value]) -> bool {
    let mut objects = views
        .iter()
        .filter(|view| view.get("properties").is_some())
        .peekable();
    objects.peek().is_some()
        && objects.all(|view| view.get("additionalProperties") == Some(&Value::Bool(false)))
}

/// `retry_after` as `retryAfter`.
fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut raise = false;
    for letter in name.chars() {
        match (letter, raise) {
            ('_', _) => raise = !out.is_empty(),
            (letter, true) => {
                out.extend(letter.to_uppercase());
                raise = false;
            }
            (letter, false) => out.push(letter),
        }
    }
    out
}
