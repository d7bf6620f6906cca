//! Request bodies as JSON trees. Stricter than a plain parser: an object that names a key
//! twice or a tree that is too deep is refused. The meaning of the tree is not checked here.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How many arrays and objects may lie within one another.
pub const MAX_DEPTH: usize = 64;

/// A JSON tree without duplicate keys, at most [`MAX_DEPTH`] deep.
#[derive(Debug, Clone, PartialEq)]
pub struct Json(Value);

/// Why bytes are not a JSON tree; a 400 `invalid_json`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// A sentence fragment with the position.
    pub message: String,
}

impl Json {
    /// Reads one JSON value that fills `bytes`.
    ///
    /// # Errors
    /// [`ParseError`] for malformed JSON, a key named twice and a tree deeper than
    /// [`MAX_DEPTH`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let value = Strict { depth: 0 }
            .deserialize(&mut deserializer)
            .and_then(|value| deserializer.end().map(|()| value))
            .map_err(|error| ParseError {
                message: error.to_string(),
            })?;
        Ok(Self(value))
    }

    /// Takes a field away from the object that the tree is, if it has it.
    pub fn take(&mut self, field: &str) -> Option<Value> {
        self.0.as_object_mut()?.shift_remove(field)
    }

    /// The tree.
    pub fn value(&self) -> &Value {
        &self.0
    }
}

/// Builds a [`Value`], counting how deep it is.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn within<E: de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!(
                "nested more than {MAX_DEPTH} levels deep"
            )));
        }
        Ok(Self {
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.within()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.within()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(de::Error::custom(format_args!("duplicate key {key:?}")));
            }
            let value = entries.next_value_seed(inner)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Json::parse(text.as_bytes()).expect_err(text).message
    }

    #[test]
    fn malformed_json_is_refused_with_its_position() {
        for text in ["", "{", "[1,]", "{\"a\":1} x", "nul", "\"\u{1}\"", "01"] {
            let message = refusal(text);
            assert!(
                message.contains("line 1 column"),
                "{text:?} gave {message:?}"
            );
        }
        assert!(Json::parse(&[b'"', 0xff, b'"']).is_err());
        assert!(refusal("1e400").contains("out of range"));
    }

    #[test]
    fn a_key_named_twice_is_refused_at_any_depth() {
        let message = refusal(r#"{"a":[{"b":1,"c":2,"b":1}]}"#);
        assert!(message.contains("duplicate key \"b\""), "{message}");
        // Equal after unescaping is equal.
        assert!(refusal(r#"{"a":1,"\u0061":2}"#).contains("duplicate key"));
    }

    #[test]
    fn nesting_is_allowed_to_the_limit_and_no_further() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(Json::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(refusal(&nested(MAX_DEPTH + 1)).contains("nested more than"));
        let in_object = format!("{}{{}}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert!(refusal(&in_object).contains("nested more than"));
        assert!(refusal(&"[".repeat(100_000)).contains("nested more than"));
    }
}
