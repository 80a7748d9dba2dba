//! The public data types as one small model, read from their JSON Schemas: all type generators work from it.
//!
//! What a call takes and what it returns are two readings of the same Rust type: an option may be left out of an
//! input, a result has every field. A type that is read in both ways and differs has two names, the second with
//! `Input` at its end.

use std::collections::{BTreeMap, BTreeSet};

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

use super::shape::{Reader, Reading};

/// All named types, by name.
#[derive(Default)]
pub(super) struct Model {
    pub(super) types: BTreeMap<String, Definition>,
}

/// One named type.
pub(super) struct Definition {
    pub(super) doc: String,
    pub(super) shape: Shape,
    /// Whether its fields are named as in a file also where the language writes names otherwise.
    pub(super) as_written: bool,
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
    /// A time as text; where the language has a type for times, that is taken as well.
    Moment,
    Literal(String),
    Named(String),
    List(Box<Kind>),
    Tuple(Vec<Kind>),
    Map(Box<Kind>),
    Either(Vec<Kind>),
}

/// The types that are to be in the model.
#[derive(Default)]
pub(super) struct Surface {
    entries: Vec<Entry>,
}

struct Entry {
    direction: Direction,
    name: String,
    add: fn(&mut SchemaGenerator),
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Input,
    Output,
    Configuration,
}

type Schemas = Map<String, Value>;

impl Surface {
    /// What a call takes: options may be left out.
    pub(super) fn input<T: JsonSchema>(&mut self) -> &mut Self {
        self.entry::<T>(Direction::Input)
    }

    /// What a call returns: every field is there.
    pub(super) fn output<T: JsonSchema>(&mut self) -> &mut Self {
        self.entry::<T>(Direction::Output)
    }

    /// What a file holds as well: its names are the file's in every language.
    pub(super) fn configuration<T: JsonSchema>(&mut self) -> &mut Self {
        self.entry::<T>(Direction::Configuration)
    }

    fn entry<T: JsonSchema>(&mut self, direction: Direction) -> &mut Self {
        self.entries.push(Entry {
            direction,
            name: T::schema_name().into_owned(),
            add: |generator| {
                generator.subschema_for::<T>();
            },
        });
        self
    }

    /// The model, or the types that have one name without being one type.
    pub(super) fn model(&self) -> Result<Model, String> {
        self.names_are_unique()?;
        let outputs = self.schemas(SchemaSettings::draft2020_12().for_serialize(), |direction| {
            direction == Direction::Output
        });
        let inputs = self.schemas(SchemaSettings::draft2020_12().for_deserialize(), |direction| {
            direction != Direction::Output
        });
        let renamed = differing(&outputs, &inputs);
        let written = self.reached_by_configuration(&inputs);
        let mut model = Model::default();
        for (name, schema) in &outputs {
            let reading = Reading {
                schemas: &outputs,
                renamed: &BTreeSet::new(),
                moment: Kind::Text,
                as_written: false,
            };
            Reader::new(reading, &mut model.types).define(name, schema);
        }
        for (name, schema) in &inputs {
            if outputs.contains_key(name) && !renamed.contains(name) {
                continue;
            }
            let reading = Reading {
                schemas: &inputs,
                renamed: &renamed,
                moment: Kind::Moment,
                as_written: written.contains(name),
            };
            Reader::new(reading, &mut model.types).define(name, schema);
        }
        Ok(model)
    }

    fn schemas(&self, settings: SchemaSettings, wanted: impl Fn(Direction) -> bool) -> Schemas {
        let mut generator = settings.into_generator();
        for entry in self.entries.iter().filter(|entry| wanted(entry.direction)) {
            (entry.add)(&mut generator);
        }
        generator.take_definitions(true)
    }

    /// The generator of schemas gives the second type of a name a number: there must be none.
    fn names_are_unique(&self) -> Result<(), String> {
        let all = self.schemas(SchemaSettings::draft2020_12().for_deserialize(), |_| true);
        let mut clashes = Vec::new();
        for (name, second) in &all {
            let base = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
            if let Some(first) = all.get(base).filter(|_| base != name) {
                clashes.push(format!(
                    "two types are called `{base}`:\n  {}\n  {}\ngive one `#[schemars(rename = \"…\")]`",
                    describe(first),
                    describe(second)
                ));
            }
        }
        if clashes.is_empty() {
            Ok(())
        } else {
            Err(clashes.join("\n"))
        }
    }

    fn reached_by_configuration(&self, inputs: &Schemas) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<String> = self
            .entries
            .iter()
            .filter(|entry| entry.direction == Direction::Configuration)
            .map(|entry| entry.name.clone())
            .collect();
        while let Some(name) = open.pop() {
            if let Some(schema) = inputs.get(&name)
                && reached.insert(name)
            {
                references(schema, &mut open);
            }
        }
        reached
    }
}

/// The first line of a type's documentation and its fields.
fn describe(schema: &Value) -> String {
    let doc = schema
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let fields: Vec<&str> = schema
        .get("properties")
        .and_then(Value::as_object)
        .map(|properties| properties.keys().map(String::as_str).collect())
        .unwrap_or_default();
    format!(
        "{} {{{}}}",
        doc.lines().next().unwrap_or_default(),
        fields.join(", ")
    )
}

/// The types that are read in both ways and are not the same, also in what they hold.
fn differing(outputs: &Schemas, inputs: &Schemas) -> BTreeSet<String> {
    let mut differing = BTreeSet::new();
    loop {
        let before = differing.len();
        for (name, input) in inputs {
            let Some(output) = outputs.get(name) else { continue };
            let mut held = Vec::new();
            references(input, &mut held);
            if input != output || held.iter().any(|held| differing.contains(held)) {
                differing.insert(name.clone());
            }
        }
        if differing.len() == before {
            return differing;
        }
    }
}

/// The names that a schema refers to.
fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_str().filter(|_| key == "$ref") {
                    Some(path) => found.push(last(path).to_owned()),
                    None => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// `Receipt` of `#/$defs/Receipt`.
pub(super) fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;

    use super::{Kind, Shape, Surface};

    mod one {
        #[derive(schemars::JsonSchema)]
        #[expect(dead_code, reason = "only its schema is read")]
        pub(super) struct Event {
            first: String,
        }
    }

    mod other {
        #[derive(schemars::JsonSchema)]
        #[expect(dead_code, reason = "only its schema is read")]
        pub(super) struct Event {
            second: Option<String>,
        }
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is read")]
    struct Holder {
        held: other::Event,
    }

    #[test]
    fn two_types_of_one_name_are_an_error_that_shows_both() {
        let mut surface = Surface::default();
        surface.input::<one::Event>().output::<Holder>();
        let error = surface.model().err().unwrap();
        for part in ["`Event`", "{first}", "{second}"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_type_read_in_both_ways_has_two_names_where_it_differs() {
        let mut surface = Surface::default();
        surface
            .input::<Holder>()
            .output::<Holder>()
            .output::<one::Event>();
        let error = surface.model().err().unwrap();
        assert!(error.contains("`Event`"), "{error}");

        let mut surface = Surface::default();
        surface.input::<Holder>().output::<Holder>();
        let model = surface.model().unwrap();
        let names: Vec<&str> = model.types.keys().map(String::as_str).collect();
        assert_eq!(names, ["Event", "EventInput", "Holder", "HolderInput"]);
        let Shape::Fields(fields) = &model.types["HolderInput"].shape else {
            panic!("no fields");
        };
        assert!(fields[0].kind == Kind::Named("EventInput".to_owned()));
        let required = |name: &str| match &model.types[name].shape {
            Shape::Fields(fields) => fields[0].required,
            _ => false,
        };
        assert!(required("Event") && !required("EventInput"));
    }
}
