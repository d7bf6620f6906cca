//! The schema (being written).
/// The composition as JSON Schema 2020-12.
pub fn json_schema() -> serde_json::Value {
    serde_json::Value::Null
}
