//! The tables as JSON Schema 2020-12, as clients and the `OpenAPI` document see them.

use serde_json::{Map, Value, json};

use super::{
    COMPOSITION, ELEMENTS, Field, Kind, MAX_LABEL_KEY, MAX_LABEL_VALUE, MAX_LABELS, MAX_NAME,
    MAX_OBJECT_KEY, MAX_SECONDS, MAX_URL, Object, Support,
};

/// Where a schema that lives in an object's table is found.
fn reference(object: &Object) -> Value {
    json!({ "$ref": format!("#/$defs/{}", object.name) })
}

/// The composition as JSON Schema 2020-12. A field with `x-unsupported` is part of the
/// contract and refused by this build: `true` for any value but the default, else the values.
pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    for object in ELEMENTS {
        define(object, &mut definitions);
    }
    let mut schema = object_schema(&COMPOSITION, &mut definitions);
    let element: Vec<Value> = ELEMENTS.into_iter().map(reference).collect();
    definitions.insert("element".into(), json!({ "oneOf": element }));
    schema.insert(
        "$schema".into(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("title".into(), json!("Composition"));
    schema.insert(
        "dependentRequired".into(),
        json!({ "width": ["height"], "height": ["width"] }),
    );
    schema.insert("$defs".into(), Value::Object(definitions));
    Value::Object(schema)
}

/// The body of `POST /v1/uploads` or `POST /v1/imports` as JSON Schema.
pub(crate) fn request_schema(object: &'static Object) -> Value {
    Value::Object(object_schema(object, &mut Map::new()))
}

fn define(object: &'static Object, definitions: &mut Map<String, Value>) {
    if !definitions.contains_key(object.name) {
        let schema = object_schema(object, definitions);
        definitions.insert(object.name.into(), Value::Object(schema));
    }
}

fn object_schema(
    object: &'static Object,
    definitions: &mut Map<String, Value>,
) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in object.fields() {
        properties.insert(field.name.into(), field_schema(field, definitions));
        if field.required {
            required.push(field.name);
        }
    }
    let mut schema = Map::new();
    schema.insert("type".into(), json!("object"));
    schema.insert("properties".into(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    schema.insert("additionalProperties".into(), json!(false));
    schema
}

fn field_schema(field: &'static Field, definitions: &mut Map<String, Value>) -> Value {
    let mut kind = kind_schema(field.kind, definitions);
    if !field.required {
        // null equals absent.
        kind = json!({ "anyOf": [kind, { "type": "null" }] });
    }
    kind["description"] = json!(field.doc);
    if let Some(default) = field.default {
        kind["default"] = serde_json::from_str(default).unwrap_or(Value::Null);
    }
    match field.support {
        Support::Rendered => {}
        Support::Unsupported => kind["x-unsupported"] = json!(true),
        Support::Only(rendered) => {
            if let Kind::Choice(names) = field.kind {
                let refused: Vec<_> = names.iter().filter(|n| !rendered.contains(n)).collect();
                kind["x-unsupported"] = json!(refused);
            }
        }
    }
    kind
}

fn kind_schema(kind: Kind, definitions: &mut Map<String, Value>) -> Value {
    const LENGTH: &str = r"^-?[0-9]+(\.[0-9]+)?(%|px)?$";
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Number { min, max, above } => {
            let least = if above { "exclusiveMinimum" } else { "minimum" };
            json!({ "type": "number", least: min, "maximum": max })
        }
        Kind::Clamped { min, max } => json!({
            "type": "number",
            "x-clamped": [min, max],
        }),
        Kind::Seconds { above } => {
            let least = if above { "exclusiveMinimum" } else { "minimum" };
            json!({ "type": "number", least: 0, "maximum": MAX_SECONDS })
        }
        Kind::FrameRate => json!({ "anyOf": [
            { "type": "number", "minimum": 1, "maximum": 240 },
            { "type": "string", "pattern": r"^[0-9]+(\.[0-9]+|/[0-9]+)?$" },
        ] }),
        Kind::Length => json!({ "anyOf": [
            { "type": "number" },
            { "type": "string", "pattern": LENGTH },
        ] }),
        Kind::Distance => json!({ "anyOf": [
            { "type": "number", "minimum": 0 },
            { "type": "string", "pattern": LENGTH },
        ] }),
        Kind::Extent => json!({ "anyOf": [
            { "type": "number", "exclusiveMinimum": 0 },
            { "const": "auto" },
            { "type": "string", "pattern": LENGTH },
        ] }),
        Kind::Track => json!({ "anyOf": [
            { "type": "integer", "minimum": 0, "maximum": 255 },
            { "type": "string", "minLength": 1, "maxLength": 35 },
        ] }),
        Kind::Scale => json!({ "anyOf": [
            { "type": "number" },
            { "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?%?$" },
        ] }),
        Kind::Angle => json!({ "anyOf": [
            { "type": "number" },
            { "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?(deg|°|rad)?$" },
        ] }),
        Kind::Color => {
            json!({ "type": "string", "pattern": "^#([0-9a-fA-F]{6}|[0-9a-fA-F]{8})$" })
        }
        Kind::Url | Kind::VideoUrl => {
            json!({ "type": "string", "format": "uri", "maxLength": MAX_URL })
        }
        Kind::PlainUrl { most } => {
            json!({ "type": "string", "format": "uri", "maxLength": most })
        }
        Kind::ObjectKey => {
            json!({ "type": "string", "minLength": 1, "maxLength": MAX_OBJECT_KEY })
        }
        Kind::Name | Kind::FileName | Kind::WholeFileName => {
            json!({ "type": "string", "minLength": 1, "maxLength": MAX_NAME })
        }
        Kind::NonEmptyText => json!({ "type": "string", "minLength": 1 }),
        Kind::Choice(names) => json!({ "enum": names }),
        Kind::Choices(names) => json!({
            "type": "array",
            "items": { "enum": names },
            "minItems": 1,
            "uniqueItems": true,
        }),
        Kind::Labels => json!({
            "type": "object",
            "propertyNames": { "maxLength": MAX_LABEL_KEY },
            "additionalProperties": { "type": "string", "maxLength": MAX_LABEL_VALUE },
            "maxProperties": MAX_LABELS,
        }),
        Kind::Object(object) => {
            define(object, definitions);
            reference(object)
        }
        Kind::List(object) => {
            define(object, definitions);
            json!({ "type": "array", "items": reference(object) })
        }
        Kind::Elements => json!({ "type": "array", "items": { "$ref": "#/$defs/element" } }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` in `schema`.
    fn references<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
        match schema {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_str() {
                        Some(target) if name == "$ref" => found.push(target),
                        _ => references(value, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_to_a_definition() {
        let schema = json_schema();
        let mut found = Vec::new();
        references(&schema, &mut found);
        assert!(found.len() > 10);
        for target in found {
            let pointer = target.strip_prefix('#').expect("a local reference");
            assert!(schema.pointer(pointer).is_some(), "{target} leads nowhere");
        }
    }

    #[test]
    fn every_default_is_json_and_published() {
        let schema = json_schema();
        for object in ELEMENTS {
            for field in object.fields() {
                let published = &schema["$defs"][object.name]["properties"][field.name];
                let expected: Option<Value> = field
                    .default
                    .map(|default| serde_json::from_str(default).expect(field.name));
                assert_eq!(
                    published.get("default"),
                    expected.as_ref(),
                    "{}",
                    field.name
                );
                let refused = published.get("x-unsupported").is_some();
                assert_eq!(
                    refused,
                    field.support != Support::Rendered,
                    "{}",
                    field.name
                );
            }
        }
    }

    #[test]
    fn no_object_names_a_field_twice() {
        for object in ELEMENTS.into_iter().chain([&COMPOSITION]) {
            let mut seen = std::collections::BTreeSet::new();
            for field in object.fields() {
                assert!(seen.insert(field.name), "{}.{}", object.name, field.name);
            }
        }
    }

    #[test]
    fn the_composition_s_own_part_is_as_documented() {
        let mut schema = json_schema();
        schema["$defs"] = json!("left out here");
        insta::assert_json_snapshot!("composition_schema", schema);
    }
}
