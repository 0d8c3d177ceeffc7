//! The format of `services.json` as JSON Schema.
use super::Config;
use schemars::schema_for;
/// x
#[must_use]
pub fn schema() -> serde_json::Value {
    schema_for!(Config).to_value()
}
