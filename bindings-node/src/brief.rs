//! The assistant brief: pure functions.

use napi::{Env, Result, Unknown};
use napi_derive::napi;
use nbhd_google::brief::{Brief, BriefInput, Fetched};
use serde_json::Value;

use crate::convert::{Data, ToNode, input};
use crate::error::raise;

/// A brief from what was fetched: inbox, calendar, action items with their sources. Deterministic.
#[napi(ts_args_type = "fetched: BriefInput", ts_return_type = "Brief")]
pub fn build_brief<'env>(env: &'env Env, fetched: Value) -> Result<Unknown<'env>> {
    let brief = input::<BriefInput>("fetched", fetched)
        .and_then(|fetched| nbhd_google::brief::build(&fetched))
        .map_err(|error| raise(env, &error))?;
    Data(brief).to_node(env)
}

/// A model's answer as a brief, when it claims nothing that was not fetched; else `invalid_input` with every problem.
///
/// `references` are the sources that were fetched, such as `gmail:18c1` and `gcal:abc`.
#[napi(ts_return_type = "Brief")]
pub fn validate_brief<'env>(
    env: &'env Env,
    answer: String,
    references: Vec<String>,
) -> Result<Unknown<'env>> {
    let fetched = references.into_iter().fold(Fetched::new(), Fetched::with_ref);
    let brief =
        nbhd_google::brief::validate(&answer, &fetched).map_err(|problems| raise(env, &problems.into()))?;
    Data(brief).to_node(env)
}

/// A brief as Markdown.
#[napi(ts_args_type = "brief: Brief")]
pub fn render_brief(env: &Env, brief: Value) -> Result<String> {
    let brief = input::<Brief>("brief", brief).map_err(|error| raise(env, &error))?;
    Ok(brief.to_markdown())
}
