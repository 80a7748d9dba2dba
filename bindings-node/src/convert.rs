//! Data across the border: serde on one side, plain objects on the other.
//!
//! Stored, receipt and conformance JSON is `snake_case`. Node sees camelCase, but only where the schema of the type
//! declares the field: keys of user maps (metadata, JSON Schemas, tool arguments) pass untouched.

mod names;

use napi::bindgen_prelude::{Array, Object, Result, ToNapiValue};
use napi::{Env, JsValue, Unknown};
use nbhd_core::{Code, Error};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use names::Names;

/// What can be handed to JavaScript. Runs on the JavaScript thread, after the work is done.
pub(crate) trait ToNode {
    /// The JavaScript value.
    fn to_node<'env>(self, env: &'env Env) -> Result<Unknown<'env>>;
}

/// Plain data: any serde type with a schema.
pub(crate) struct Data<T>(pub(crate) T);

impl<T: Serialize + JsonSchema + 'static> ToNode for Data<T> {
    fn to_node<'env>(self, env: &'env Env) -> Result<Unknown<'env>> {
        from_value(env, output::<T>(&self.0)?)
    }
}

impl ToNode for () {
    fn to_node<'env>(self, env: &'env Env) -> Result<Unknown<'env>> {
        ().into_unknown(env)
    }
}

impl<T: ToNode> ToNode for Option<T> {
    fn to_node<'env>(self, env: &'env Env) -> Result<Unknown<'env>> {
        self.map_or_else(
            || napi::bindgen_prelude::Null.into_unknown(env),
            |value| value.to_node(env),
        )
    }
}

/// The JSON of `value` with the names that Node sees.
pub(crate) fn output<T: Serialize + JsonSchema + 'static>(value: &T) -> Result<Value> {
    let json = serde_json::to_value(value)?;
    Ok(Names::of::<T>().to_camel(json))
}

/// A JSON value as JavaScript sees it.
pub(crate) fn from_value<'env>(env: &'env Env, value: Value) -> Result<Unknown<'env>> {
    value.into_unknown(env)
}

/// A JavaScript value as the input type of a call. What does not fit is `invalid_input` and says what is known.
pub(crate) fn input<T: DeserializeOwned + JsonSchema + 'static>(
    what: &str,
    value: Value,
) -> std::result::Result<T, Error> {
    let json = Names::of::<T>()
        .to_snake(whole(value))
        .map_err(|reason| invalid(what, &reason))?;
    serde_json::from_value(json).map_err(|error| invalid(what, &error.to_string()))
}

/// JavaScript's numbers as what they are: the reader of the addon takes a whole one beyond 32 bits for a fraction.
pub(crate) fn whole(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= LARGEST_EXACT => {
                Value::from(float as i64)
            }
            _ => Value::Number(number),
        },
        Value::Array(items) => items.into_iter().map(whole).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, field)| (name, whole(field)))
            .collect(),
        other => other,
    }
}

/// `Number.MAX_SAFE_INTEGER`: up to it a whole number is exact.
const LARGEST_EXACT: f64 = 9_007_199_254_740_991.0;

/// The fields of an error with the names that Node sees.
pub(crate) fn camel_error(error: &Error) -> Value {
    let mut data = output(&error.to_data()).unwrap_or_default();
    if let Some(receipt) = error.receipt() {
        data["receipt"] = output(receipt).unwrap_or_default();
    }
    data
}

fn invalid(what: &str, reason: &str) -> Error {
    Error::new(Code::InvalidInput, format!("{what}: {reason}"))
}

/// A page: an array that also knows its receipt and its next page.
impl<T: Serialize + JsonSchema + 'static> ToNode for nbhd_core::page::Page<T> {
    fn to_node<'env>(self, env: &'env Env) -> Result<Unknown<'env>> {
        let mut items: Array<'env> = env.create_array(self.items.len() as u32)?;
        for (index, item) in self.items.iter().enumerate() {
            items.set(index as u32, output(item)?)?;
        }
        // SAFETY: an array is an object, so the cast cannot see another kind of value.
        let mut object: Object<'env> = unsafe { items.to_unknown().cast()? };
        object.set("receipt", output(&self.receipt)?)?;
        object.set("nextPageToken", self.next_page_token)?;
        Ok(object.to_unknown())
    }
}
