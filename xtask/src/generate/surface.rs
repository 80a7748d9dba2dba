//! The data types of the public surface: what calls take and what they return.

use super::model::Model;

pub(super) fn model() -> Model {
    let mut model = Model::default();
    model
        .output::<nbhd_core::error::ErrorData>()
        .output::<nbhd_core::Receipt>()
        .output::<nbhd_core::inbox::Event>()
        .output::<nbhd_core::inbox::Accepted>();
    model
}
