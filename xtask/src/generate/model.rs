//! The public data types as one small model, read from their JSON Schemas: both type generators work from it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// All named types, by name.
#[derive(Default)]
pub(super) struct Model {
    pub(super) types: BTreeMap<String, Definition>,
}

/// One named type.
pub(super) struct Definition {
    pub(super) doc: String,
    pub(super) shape: Shape,
}

/// What a type is made of.
pub(super) enum Shape {
    Fields(Vec<Field>),
    /// Fields beside which any others may stand.
    OpenFields(Vec<Field>),
    Alias(Kind),
}

/// One declared field.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

/// The type of a value.
#[derive(Clone, PartialEq)]
pub(super) enum Kind {
    Any,
    Null,
    Boolean,
    Integer,
    Number,
    Text,
    Literal(String),
    Named(String),
    List(Box<Kind>),
    Map(Box<Kind>),
    Either(Vec<Kind>),
    /// An alternative of a tagged type, without a name of its own.
    Object(Vec<(String, Kind, bool)>),
}

impl Model {
    /// Adds what a call takes: options may be left out.
    pub(super) fn input<T: JsonSchema>(&mut self) -> &mut Self {
        self.add::<T>(SchemaSettings::draft2020_12().for_deserialize())
    }

    /// Adds what a call returns: every field is there.
    pub(super) fn output<T: JsonSchema>(&mut self) -> &mut Self {
        self.add::<T>(SchemaSettings::draft2020_12().for_serialize())
    }

    fn add<T: JsonSchema>(&mut self, settings: SchemaSettings) -> &mut Self {
        let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
        let definitions = schema.as_object_mut().and_then(|root| root.remove("$defs"));
        self.define(&T::schema_name(), &schema);
        for (name, definition) in definitions
            .as_ref()
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            self.define(name, definition);
        }
        self
    }

    fn define(&mut self, name: &str, schema: &Value) {
        if self.types.contains_key(name) {
            return;
        }
        let doc = text(schema, "description");
        let shape = match schema.get("properties").and_then(Value::as_object) {
            Some(properties) => {
                let fields = fields(schema, properties);
                let open = matches!(
                    schema.get("additionalProperties"),
                    Some(Value::Bool(true) | Value::Object(_))
                );
                if open {
                    Shape::OpenFields(fields)
                } else {
                    Shape::Fields(fields)
                }
            }
            None => Shape::Alias(kind(schema)),
        };
        self.types.insert(name.to_owned(), Definition { doc, shape });
    }
}

fn fields(schema: &Value, properties: &Map<String, Value>) -> Vec<Field> {
    properties
        .iter()
        .map(|(name, property)| Field {
            name: name.clone(),
            doc: text(property, "description"),
            kind: kind(property),
            required: is_required(schema, name),
        })
        .collect()
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema
        .get("required")
        .and_then(Value::as_array)
        .is_some_and(|names| names.iter().any(|known| known == name))
}

fn kind(schema: &Value) -> Kind {
    if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
        return Kind::Named(path.rsplit('/').next().unwrap_or_default().to_owned());
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
            return either(alternatives.iter().map(kind));
        }
    }
    if let Some([only]) = schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
        return kind(only);
    }
    match schema.get("type") {
        Some(Value::Array(names)) => either(
            names
                .iter()
                .filter_map(Value::as_str)
                .map(|name| of_type(name, schema)),
        ),
        Some(Value::String(name)) => of_type(name, schema),
        _ => Kind::Any,
    }
}

fn of_type(name: &str, schema: &Value) -> Kind {
    match name {
        "null" => Kind::Null,
        "boolean" => Kind::Boolean,
        "integer" => Kind::Integer,
        "number" => Kind::Number,
        "string" => Kind::Text,
        "array" => Kind::List(Box::new(schema.get("items").map_or(Kind::Any, kind))),
        "object" => match schema.get("properties").and_then(Value::as_object) {
            Some(properties) => Kind::Object(
                fields(schema, properties)
                    .into_iter()
                    .map(|field| (field.name, field.kind, field.required))
                    .collect(),
            ),
            None => Kind::Map(Box::new(
                schema.get("additionalProperties").map_or(Kind::Any, kind),
            )),
        },
        _ => Kind::Any,
    }
}

fn either(kinds: impl Iterator<Item = Kind>) -> Kind {
    let mut all: Vec<Kind> = Vec::new();
    for kind in kinds {
        if !all.contains(&kind) {
            all.push(kind);
        }
    }
    match all.len() {
        1 => all.remove(0),
        _ => Kind::Either(all),
    }
}

fn text(schema: &Value, key: &str) -> String {
    schema
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
